"""The forms, in the order in which they are tried: the first that recognises a source reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from config.text.nodes import Unparsable, quoted
from config.text.places import Place
from pollers.importing.account import ACCOUNT
from pollers.importing.cdk import ASSEMBLY
from pollers.importing.cloudformation import TEMPLATE
from pollers.importing.forms.hints import hint
from pollers.importing.serverless import SERVERLESS
from pollers.importing.terraform import TERRAFORM

if TYPE_CHECKING:
    from pollers.importing.form import Source, SourceForm

FORMS: tuple[SourceForm, ...] = (ACCOUNT, ASSEMBLY, SERVERLESS, TEMPLATE, TERRAFORM)


class Unrecognised(Unparsable):
    """No form recognises the source; the message says what is there, and what would be one."""


def form_of(source: Source) -> SourceForm:
    """The form that reads this source.

    Raises :class:`Unrecognised`, or :class:`config.text.nodes.Unparsable` for a file of no form that cannot be parsed either.
    """
    for form in FORMS:
        if form.recognises(source):
            return form
    if source.is_file and not hint(source):
        _ = source.tree  # what cannot be parsed says so, with its line
    raise Unrecognised(Place(source.text, 1), f"found {_found(source)}, expected {hint(source) or _expected()}")


def _found(source: Source) -> str:
    if source.is_folder:
        return "a folder that cannot be imported itself"
    if not source.is_file:
        return "no file and no folder of this name"
    shown = ", ".join(quoted(key) for key in sorted(source.keys)[:5])
    return f"a file with the keys {shown}" if shown else "a file that is no mapping"


def _expected() -> str:
    return "; or ".join(f"{form.called} ({form.looks_like})" for form in FORMS)
