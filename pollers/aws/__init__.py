"""The seam to AWS: protocols in ``api``, errors in ``errors``, services and their clients in ``services``, the wire in ``wire``.

Nothing is imported here: protocols and errors are wanted by what never needs the SDK, whose import takes half a second.
"""
