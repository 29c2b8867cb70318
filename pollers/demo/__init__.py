"""``headrace demo``: the whole thing on embedded emulators, ending with a proof that the books balance.

May import every room but the commands. Exports nothing: its one entry is :func:`pollers.demo.main.run_demo`, and what that file
imports (emulators, clients, the supervisor) would slow down every other command.
"""
