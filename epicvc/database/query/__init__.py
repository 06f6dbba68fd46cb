"""Composes SQL from parts: identifiers are quoted, values are bound, and nothing else gets into the text.

A builder is needed because an identifier in an f-string is one forgotten call away from an injection, and because a
statement whose parts depend on a mapping cannot be written down as one text. A part is an identifier, a word of a fixed
list or a value, and each has its own function. The builder knows SQL's syntax, not the database: it looks no name up.
"""

from epicvc.database.query.conditions import Condition, all_of, any_of, compare, constant
from epicvc.database.query.statements import Delete, Insert, Query, Select, Statement, Update
from epicvc.database.query.terms import Dialect, table_named

__all__ = [
    "Condition",
    "Delete",
    "Dialect",
    "Insert",
    "Query",
    "Select",
    "Statement",
    "Update",
    "all_of",
    "any_of",
    "compare",
    "constant",
    "table_named",
]
