"""Pairs of edits, one for each branch, that are right each by itself and meet in what a schema demands.

Chance alone seldom has two edits about one row, one column and the constraint over it; so some histories begin with
such a pair. Each function gives both of a pair, made from the state that both branches start from.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from schemas.inventing import Inventor
from schemas.steps import Exchange, Put, Sql, Step, literal

Pair = tuple[Step | None, Step | None]

#: A CHECK constraint, and two assignments that keep it, each alone.
CHECKED = {
    "a <= b": ("a = b", "b = a"),
    "a + b < 12": ("a = 11 - b", "b = 11 - a"),
    "t <> 'e' OR a > 2": ("t = 'e'", "a = 0"),
}


def clash(inventor: Inventor, chance: Random, side: str) -> Step | None:
    """A branch's edit of a pair that chance chooses.

    Args:
        inventor: sees what is there.
        chance: the same for both branches.
        side: the branch.
    """
    inventor.chance = inventor.values = inventor.own = chance
    turn = chance.random() < 0.5
    pair = chance.choice(CLASHES)(inventor)
    return pair[(side == "ours") == turn]


def renamed(at: Inventor) -> Pair:
    """A column gets another name, and rows are written under the old one."""
    table, column = _column(at)
    new = f"x{len(at.columns(table))}"
    change = Sql(
        f"ALTER TABLE {table} RENAME COLUMN {column} TO {new}", ("column", f"{table}.{column}", f"{table}.{new}")
    )
    return change, _written(at, table, column)


def dropped(at: Inventor) -> Pair:
    """A column goes, and rows are written that have it."""
    table, column = _column(at)
    return Sql(f"ALTER TABLE {table} DROP COLUMN {column}"), _written(at, table, column)


def checked(at: Inventor) -> Pair:
    """Two columns under one CHECK constraint are changed, one by each."""
    found = [
        (table, pair)
        for table in at.tables()
        for check, pair in CHECKED.items()
        if f"CHECK ({check})" in at.definition(table)
    ]
    if "CHECK (spent" in at.definition("framework_tasks"):
        found.append(("framework_tasks", ("spent = estimate_minutes", "estimate_minutes = spent")))
    if not found:
        return newly_checked(at)
    table, (one, other) = at.pick(found)
    row = at.row_of(table)
    return (
        (Sql(f"UPDATE {table} SET {one} WHERE {row[0]}"), Sql(f"UPDATE {table} SET {other} WHERE {row[0]}"))
        if row
        else (None, None)
    )


def newly_checked(at: Inventor) -> Pair:
    """A table gets a CHECK constraint, and a row that breaks it."""
    table = at.pick([name for name in at.tables() if name in ("p", "q", "c")])
    column = at.pick([column for column in at.columns(table) if column.name in ("a", "b", "n", "t", "v")])
    value = "e" if column.kind in ("TEXT", "VARCHAR(9)") else 7
    row = at.row_of(table)
    change = at.rebuild(table, f"CHECK ({column.name} IS NOT {literal(value)})")
    return change, Sql(f"UPDATE {table} SET {column.name} = {literal(value)} WHERE {row[0]}") if row else None


def orphaned(at: Inventor) -> Pair:
    """A parent goes, or its key changes, and a child comes to it."""
    parents: dict[int, list[tuple[str, str, str]]] = {}
    for number, _, table, column, target, *_ in at.ask("PRAGMA foreign_key_list(c)"):
        parents.setdefault(number, []).append((table.lower(), column, target or "id"))
    if not parents:
        return None, None
    keys = at.pick(sorted(parents.values()))
    table, targets = keys[0][0], [target for _, _, target in keys]
    alive = " WHERE deleted_at IS NULL" if table.startswith("framework") else ""
    rows = at.ask(f"SELECT {', '.join(targets)} FROM {table}{alive} ORDER BY 1")
    if not rows:
        return None, None
    row = at.pick(rows)
    where = " AND ".join(f"{name} = {literal(value)}" for name, value in zip(targets, row, strict=True))
    gone: Step = Sql(f"DELETE FROM {table} WHERE {where}")
    if not table.startswith("framework") and at.chance.random() < 0.5:
        gone = Sql(f"UPDATE {table} SET {targets[-1]} = {literal(at.chance.randrange(20, 99))} WHERE {where}")
    elif table == "framework_epics":
        new = f"k{at.chance.randrange(99)}"
        gone = Sql(f"UPDATE {table} SET epic_key = '{new}' WHERE {where}", ("epic", row[0], new))
    elif alive:
        gone = Sql(f"DELETE FROM task_dependencies; DELETE FROM framework_tasks WHERE {where}")
    names, values = ", ".join(column for _, column, _ in keys), ", ".join(map(literal, row))
    return gone, Sql(f"INSERT INTO c ({names}, v) VALUES ({values}, 'child')")


def newly_referred(at: Inventor) -> Pair:
    """A table gets a foreign key, and a row that breaks it."""
    table = at.pick([name for name in at.tables() if name in ("p", "q")])
    keys = [column.name for column in at.columns(table) if column.key]
    if keys != ["id"]:
        return orphaned(at)
    change = at.rebuild("c", f"FOREIGN KEY (n) REFERENCES {table} (id)")
    return change, Sql(f"INSERT INTO c (v, n) VALUES ('child', {at.chance.randrange(30, 99)})")


def exchanged(at: Inventor) -> Pair:
    """Rows exchange what is unique, or one takes over what another gives up; the other branch writes one of them."""
    if at.chance.random() < 0.5:
        return titles(at)
    table = at.pick([name for name in at.tables() if name in ("p", "q")])
    if "code" not in [column.name for column in at.columns(table) if not column.key]:
        return titles(at)
    rows = at.ask(f"SELECT rowid, code FROM {table} WHERE code IS NOT NULL ORDER BY 1")
    if len(rows) < 2:
        return titles(at)
    (one, mine), (other, its) = rows[:2]
    last = literal(mine) if at.chance.random() < 0.6 else "NULL"
    steps = (
        f"UPDATE {table} SET code = {value} WHERE rowid = {row}"
        for row, value in ((one, "NULL"), (other, literal(mine)))
    )
    swap = ";".join(
        [*steps, f"UPDATE {table} SET code = {literal(its) if last != 'NULL' else last} WHERE rowid = {one}"]
    )
    return Sql(swap), Sql(f"UPDATE {table} SET t = 'other' WHERE rowid = {at.chance.choice((one, other))}")


def titles(at: Inventor) -> Pair:
    """Two tasks exchange their titles in the files; the other branch writes one of them."""
    tasks = at.all_tasks()
    if len(tasks) < 2:
        return None, None
    first, second = at.chance.sample(tasks, 2)
    paths = [(epic, ("epic", "tasks", key, "title")) for epic, key in (first, second)]
    return Exchange(paths[0], paths[1]), Put(first[0], ("epic", "tasks", first[1], "risk"), "high")


def searched(at: Inventor) -> Pair:
    """Two rows under a full-text index are written, one by each."""
    table, column = ("words", "body") if "words" in at.tables() and at.chance.random() < 0.3 else ("c", "v")
    rows = at.ask(f"SELECT rowid FROM {table} ORDER BY 1")
    if not rows:
        return None, None
    picked = [at.pick(rows)[0] for _ in range(2)]
    new = f"INSERT INTO {table} ({column}) VALUES ('four fish')"
    edits = [f"UPDATE {table} SET {column} = 'fish {number}' WHERE rowid = {row}" for number, row in enumerate(picked)]
    kinds = [*edits, f"DELETE FROM {table} WHERE rowid = {picked[1]}", new]
    return Sql(edits[0]), Sql(at.chance.choice(kinds[1:]))


CLASHES: tuple[Callable[[Inventor], Pair], ...] = (
    renamed,
    renamed,
    dropped,
    checked,
    checked,
    newly_checked,
    orphaned,
    orphaned,
    newly_referred,
    exchanged,
    exchanged,
    exchanged,
    searched,
)


def _column(at: Inventor) -> tuple[str, str]:
    """A column that may go or get another name, and its table."""
    own = ("a", "b", "t", "v", "n", "spent", "owner", "actual_minutes")
    tables = [name for name in at.tables() if name in ("p", "q", "c")] + ["framework_tasks", "framework_epics"]
    found = [(table, column.name) for table in tables for column in at.columns(table) if column.name in own]
    return at.pick(found)


def _written(at: Inventor, table: str, column: str) -> Step | None:
    """A row written: in that column, in another one, or new."""
    row = at.row_of(table)
    kind = at.chance.randrange(4)
    if kind == 0 and not table.startswith("framework"):
        return at.insert_into(table)
    others = {"p": "b", "q": "b", "c": "v", "framework_tasks": "points_earned", "framework_epics": "priority"}
    chosen = column if kind == 1 else others[table]
    value = at.chance.randrange(1, 9) if chosen not in ("t", "v", "owner") else "w"
    return Sql(f"UPDATE {table} SET {chosen} = {value!r} WHERE {row[0]}") if row else None
