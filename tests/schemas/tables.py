"""Random tables of an application, beside those that plans are in."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from schemas.steps import Sql

CASES = (str, str.upper, str.title)
ACTIONS = ("", "", " ON DELETE CASCADE", " ON DELETE SET NULL", " ON DELETE RESTRICT", " ON UPDATE CASCADE")


def schema(chance: Random, features: frozenset[str]) -> Iterator[Sql]:
    """Two or three tables with rows, and what else belongs to a schema."""
    parents = [_parent(chance, name, features) for name in ("p", "q")[: chance.choice((1, 2))]]
    for create, _ in parents:
        yield Sql(create)
    yield Sql(_child(chance, "c", [targets for _, targets in parents], features))
    if chance.random() < 0.3:
        yield Sql("CREATE TABLE plain (note TEXT, weight NUMERIC)")
        yield Sql("INSERT INTO plain VALUES ('a', 1), ('a', 1), (NULL, 2.5)")
    yield from _beside(chance, features)
    yield from _indexes(chance, features)


def _parent(chance: Random, name: str, features: frozenset[str]) -> tuple[str, tuple[str, list[tuple[str, ...]]]]:
    """A table, and what others may refer to in it."""
    strict = chance.random() < 0.2
    number, text = (
        ("INTEGER", "TEXT") if strict else (chance.choice(("INT", "INTEGER")), chance.choice(("TEXT", "VARCHAR(9)")))
    )
    nocase = chance.choice(("", "", " COLLATE NOCASE"))
    unique = chance.random() < 0.4
    rest = [f"a {number} DEFAULT {chance.randrange(3)}", f"b {number}", f"t {text}"]
    if "checks" in features and chance.random() < 0.4:
        rest.append(chance.choice(("CHECK (a <= b)", "CHECK (a + b < 12)", "CHECK (t <> 'e' OR a > 2)")))
    if chance.random() < 0.2:
        rest.insert(3, f"g {number} GENERATED ALWAYS AS (a + b) {chance.choice(('VIRTUAL', 'STORED'))}")
    if unique and "uniques" in features:
        rest.append("UNIQUE (b, t)")
    form, without = chance.randrange(3), False
    if form == 0:
        automatic = chance.choice(("", " AUTOINCREMENT"))
        columns = [f"id INTEGER PRIMARY KEY{automatic}", f"code {text} UNIQUE{nocase}"]
        targets: list[tuple[str, ...]] = [("id",), ("code",)]
    elif form == 1:
        without = chance.random() < 0.5
        columns, targets = [f"code {text}{nocase} NOT NULL PRIMARY KEY"], [("code",)]
    else:
        without = chance.random() < 0.5
        columns, targets = [f"id {number} NOT NULL", f"code {text} NOT NULL"], [("id", "code")]
        rest.append("PRIMARY KEY (id, code)")
    plain = [part for part in rest if not part.startswith(("CHECK", "UNIQUE", "PRIMARY"))]
    columns += plain + [part for part in rest if part not in plain]
    options = ", ".join(["STRICT"] * strict + ["WITHOUT ROWID"] * without)
    return f"CREATE TABLE {name} ({', '.join(columns)}) {options}", (name, targets)


def _child(
    chance: Random, name: str, parents: list[tuple[str, list[tuple[str, ...]]]], features: frozenset[str]
) -> str:
    """A table that refers to others."""
    columns, keys = ["id INTEGER PRIMARY KEY", "v TEXT", "n INT"], []
    if "references" in features:
        for number, (table, targets) in enumerate(parents):
            target = chance.choice(targets)
            spelt = chance.choice(CASES)(table) if "odd references" in features else table
            own = [f"{column}{number}" for column in target]
            kinds = ("INT", "TEXT", "REAL", "") if "odd references" in features else ("INT",)
            for column, there in zip(own, target, strict=True):
                columns.append(f"{column} {chance.choice(kinds) if there == 'id' else 'TEXT'}")
            deferred = chance.choice(("", "", " DEFERRABLE INITIALLY DEFERRED"))
            action = chance.choice(ACTIONS)
            keys.append(f"FOREIGN KEY ({', '.join(own)}) REFERENCES {spelt} ({', '.join(target)}){action}{deferred}")
        if chance.random() < 0.4:
            columns.append("task INT REFERENCES framework_tasks(id)" + chance.choice(ACTIONS))
        if chance.random() < 0.3:
            columns.append("epic TEXT REFERENCES framework_epics(epic_key)")
    return f"CREATE TABLE {name} ({', '.join(columns + keys)})"


def _beside(chance: Random, features: frozenset[str]) -> Iterator[Sql]:
    """Columns that an application has added to the tables of plans."""
    if chance.random() < 0.5:
        check = " CHECK (spent <= estimate_minutes)" if "checks" in features and chance.random() < 0.5 else ""
        yield Sql(f"ALTER TABLE framework_tasks ADD COLUMN spent INT DEFAULT 0{check}")
    if chance.random() < 0.5:
        yield Sql("ALTER TABLE framework_epics ADD COLUMN owner TEXT DEFAULT 'nobody'")
    if "uniques" in features and chance.random() < 0.5:
        yield Sql(f"CREATE UNIQUE INDEX one_title ON framework_tasks({chance.choice(('title', 'epic_id, title'))})")
    if "uniques" in features and chance.random() < 0.3:
        yield Sql(
            "ALTER TABLE framework_tasks ADD COLUMN slot TEXT; CREATE UNIQUE INDEX one_slot ON framework_tasks(slot)"
        )


def _indexes(chance: Random, features: frozenset[str]) -> Iterator[Sql]:
    """Triggers and full-text indexes."""
    if chance.random() < 0.3:
        yield Sql(
            "CREATE TABLE seen (id INTEGER PRIMARY KEY AUTOINCREMENT, what TEXT);"
            "CREATE TRIGGER p_seen AFTER UPDATE OF a ON p BEGIN INSERT INTO seen (what) VALUES (new.t); END"
        )
    if "search" in features and chance.random() < 0.3:
        yield Sql("CREATE VIRTUAL TABLE words USING fts5(body)")
        yield Sql("INSERT INTO words VALUES ('one fish'), ('two fish')")
    if "search" in features and chance.random() < 0.4:
        yield Sql(
            "CREATE VIRTUAL TABLE find USING fts5(v, content='c', content_rowid='id');"
            "CREATE TRIGGER c_in AFTER INSERT ON c BEGIN INSERT INTO find(rowid, v) VALUES (new.id, new.v); END;"
            "CREATE TRIGGER c_out AFTER DELETE ON c BEGIN"
            " INSERT INTO find(find, rowid, v) VALUES ('delete', old.id, old.v); END;"
            "CREATE TRIGGER c_new AFTER UPDATE ON c BEGIN"
            " INSERT INTO find(find, rowid, v) VALUES ('delete', old.id, old.v);"
            " INSERT INTO find(rowid, v) VALUES (new.id, new.v); END"
        )
