"""``headrace demo``: every kind of source on local emulators, asynchronous calls, and a proof that every event is accounted for.

May import every room but the commands. Exports nothing: its one entry is :func:`pollers.demo.main.run_demo`, and what that file
imports (emulators, clients, the supervisor) would slow down every other command.
"""
