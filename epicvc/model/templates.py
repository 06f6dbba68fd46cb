"""Recognizes templates, which are made to be copied: an epic with a placeholder for an id is no epic yet."""

from __future__ import annotations

import re
from typing import Final

from epicvc.base.jsonio import JSON
from epicvc.model.document import epic_body

_PLACEHOLDER: Final = r"\[[^\[\]]+\]|<[^<>]+>|\{\{?[^{}]+\}?\}"


def is_template(value: JSON) -> bool:
    """Return whether a file's epic has a placeholder such as ``[EPIC-ID]`` or ``{{id}}`` for an id."""
    key = epic_body(value).get("id") if isinstance(value, dict) else None
    return isinstance(key, str) and bool(re.fullmatch(_PLACEHOLDER, key))
