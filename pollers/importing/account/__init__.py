"""A live account: its mappings and schedules and the functions that these call, by the SDK's credentials. It only reads.

May import :mod:`pollers.importing`, :mod:`pollers.importing.deployed`, :mod:`pollers.aws` and :mod:`handlers`. The SDK is imported
when an account is read.
"""

from pollers.importing.account.reading import ACCOUNT

__all__ = ["ACCOUNT"]
