"""Functions: one file for each runtime, listed in :mod:`config.functions.registry`.

``runtime`` is the form of a declaration. ``function``, ``logging_config``, ``processes`` and ``handler_name`` are what several
runtimes share. ``reading`` turns a function of a file into a model.
"""
