"""Mappings: one file for each kind of event source, listed in :mod:`config.sources.registry`.

``kind`` is the form of a declaration, ``mapping`` what all mappings share, ``streams`` what Kinesis and DynamoDB streams share.
``reading`` turns a mapping of a file into a model; ``pasted`` and ``unread`` know what AWS has beside the settings read here.
"""
