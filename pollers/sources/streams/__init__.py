"""The stream engine: reads any stream that is behind ``StreamSource``, shard by shard, and knows no service.

:mod:`kind` is imported by ``headrace check`` and stays light: the engine is imported when a poller is made.
"""
