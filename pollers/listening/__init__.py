"""Servers' connections with their bounds: how many, how long a head may take to arrive, and what happens without file descriptors.

May import nothing of this package.
"""

from __future__ import annotations

from pollers.listening.connections import Bounded, Connections
from pollers.listening.sockets import Listening, Reserve, url_of

__all__ = ["Bounded", "Connections", "Listening", "Reserve", "url_of"]
