"""Terraform's states and plans, as files and as ``terraform show -json`` prints them.

Its own language is never read: only Terraform can evaluate it (docs/lambda 17.5).

May import :mod:`pollers.importing` and :mod:`pollers.importing.deployed`.
"""

from pollers.importing.terraform.reading import TERRAFORM

__all__ = ["TERRAFORM"]
