"""The Serverless Framework: what it packaged, or ``serverless.yml`` itself as far as that can be read without running it.

Both become a template of CloudFormation first. May import :mod:`pollers.importing` and :mod:`pollers.importing.cloudformation`.
"""

from pollers.importing.serverless.reading import SERVERLESS

__all__ = ["SERVERLESS"]
