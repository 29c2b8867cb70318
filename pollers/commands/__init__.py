"""The command line, a file for each command. Exports nothing, as :mod:`pollers.cli` imports a command only when it is called.

May import every room; no room imports this one.
"""
