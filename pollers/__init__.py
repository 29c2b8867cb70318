"""The program: sources, the engine that they share, the supervisor, its views, the server and the command line.

May import :mod:`config` and :mod:`handlers`. Exports nothing: each command imports only the rooms that it needs, so that
``headrace --help`` and ``headrace check`` start fast. The rooms and their order are in ``docs/architecture.md``.
"""
