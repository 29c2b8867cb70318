"""How a call of an AWS service becomes bytes, and bytes a reply that can be believed.

::

    calls  passthrough     through a client of the SDK (sdk_private holds what of it is not public)
    direct                 without: the SDK's endpoints (sdk_private), our signature (signing) and our connections
      http1                  connections to one origin, kept and taken in turns (connection_line)
        http1_connection       one request, then its reply (http1_reply), then the next
    credentials  sendable  what both sign with, and whether it can be sent
    classify               any failure as the error class that says what to do next
    replies  slicing  plain_records  event_stream   what a reply must have, and how far it is decoded

Nothing is imported here: most of these need the SDK, whose import takes half a second, and some are wanted without it.
"""
