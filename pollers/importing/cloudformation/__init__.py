"""CloudFormation's templates, SAM's among them: the language, and what becomes of its resources.

What other tools pack into templates is read through :func:`import_template` as well. May import :mod:`pollers.importing`.
"""

from pollers.importing.cloudformation.code import chosen_folder, local_code
from pollers.importing.cloudformation.context import Context
from pollers.importing.cloudformation.evaluator import Evaluator
from pollers.importing.cloudformation.nesting import Part
from pollers.importing.cloudformation.reading import (
    TEMPLATE,
    evaluator_for,
    import_template,
    import_together,
    refuse_unknown_parameters,
)
from pollers.importing.cloudformation.surroundings import Surroundings
from pollers.importing.cloudformation.template import Resource

__all__ = [
    "TEMPLATE",
    "Context",
    "Evaluator",
    "Part",
    "Resource",
    "Surroundings",
    "chosen_folder",
    "evaluator_for",
    "import_template",
    "import_together",
    "local_code",
    "refuse_unknown_parameters",
]
