"""Every form of source that can be imported. A new one is its :class:`pollers.importing.SourceForm`, and one line in ``FORMS``.

May import :mod:`pollers.importing` and the rooms of all forms.
"""

from pollers.importing.forms.registry import FORMS, Unrecognised, form_of

__all__ = ["FORMS", "Unrecognised", "form_of"]
