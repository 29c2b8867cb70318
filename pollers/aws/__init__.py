"""The seam to AWS: protocols in ``api``, errors in ``errors``, services and their clients in ``services``, the wire in ``wire``.

May import :mod:`config`, :mod:`handlers` and :mod:`pollers.clocks`. Exports nothing: many rooms need the protocols and errors but
not the SDK, whose import takes half a second.
"""
