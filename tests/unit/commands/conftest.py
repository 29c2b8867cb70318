"""The folder that configurations are written into."""

from tests.unit.config.conftest import folder

__all__ = ["folder"]
