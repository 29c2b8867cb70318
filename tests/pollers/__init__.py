"""One suite that every kind of event source must pass, under virtual time, on services in memory.

A kind takes part by a *world* (:mod:`tests.pollers.world`): a source of that kind in memory, and the features that it declares.
Each test runs on every world that has the features that it is about. A kind in the registry without a world fails the suite.
A :class:`tests.pollers.trial.Trial` puts a mapping, a function written in the test and a poller from the registry onto a world. It
watches what must hold at any time: the books balance, nothing is acknowledged that is not done, order is kept, and no more
invocations run than may.
"""
