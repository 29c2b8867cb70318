"""What is deployed: functions and what calls them in AWS's own words, as a state or an account has them, to what Headrace has.

A setting that says nothing is no setting here: states and replies write zeros and empty texts for what does not apply
(docs/lambda 17.5). May import :mod:`pollers.importing`.
"""

from pollers.importing.deployed.deployment import Deployment
from pollers.importing.deployed.document import Document, value_of

__all__ = ["Deployment", "Document", "value_of"]
