"""What ``cdk synth`` writes: the assembly ``cdk.out``, with a template for each stack and a folder for each asset.

May import :mod:`pollers.importing` and :mod:`pollers.importing.cloudformation`.
"""

from pollers.importing.cdk.reading import ASSEMBLY

__all__ = ["ASSEMBLY"]
