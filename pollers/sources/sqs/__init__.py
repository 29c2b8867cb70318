"""The SQS poller, standard and FIFO.

Deciders: :mod:`visibility` (how long messages are hidden), :mod:`waiting` and :mod:`groups` (what is the next batch),
:mod:`planning` (what to ask for next, and why not),
:mod:`scaling` (how many receives and invocations). Doers: :mod:`receiving` is the heart, :mod:`intake` takes messages over,
:mod:`invoking` and :mod:`settling` run and settle a batch, :mod:`deleting` deletes, :mod:`returns` hands back,
:mod:`heartbeat` keeps what is held, :mod:`entitlement` counts permits. :mod:`poller` ties them together and owns every task.
"""
