"""CloudFormation's templates, SAM's among them: the language, and what becomes of its resources.

May import :mod:`pollers.importing`.
"""

from pollers.importing.cloudformation.reading import TEMPLATE

__all__ = ["TEMPLATE"]
