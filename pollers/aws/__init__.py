"""The seam to AWS. ``clients.AwsClients`` implements the protocols of ``api``; every error is one of ``errors``.

Nothing is imported here: protocols and errors are wanted by what never needs the SDK, whose import takes half a second.
"""
