"""What is mutated: each kind of thing that epicvc reads, where it lies in a small repo, and what reads it."""

from __future__ import annotations

import random
import sqlite3
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
from store.sealing import seal

from epicvc.store.codec import pack, unpack
from epicvc.store.dictionary import Dictionaries
from epicvc.store.objects import ObjectType, Packed, object_id
from epicvc.store.packs.pack import pack_id
from epicvc.store.store import Store
from fuzz.mutations import change_value, json_values, mutated, toml_values

Damage = Callable[[Path, random.Random], None]
Commands = tuple[str, ...]

READING: Commands = (
    "status",
    "status --json",
    "status --porcelain",
    "diff --json",
    "log --json",
    "doctor --json",
    "fsck",
)
WRITING: Commands = ("sync --json", "commit -m x", "pull", "push", "checkout HEAD --discard-changes", "sync --dry-run")


@dataclass(frozen=True)
class Target:
    """A kind of input.

    Attributes:
        damage: mutates it in a repo.
        commands: what reads it.
        weight: how often it is tried, against others.
    """

    damage: Damage
    commands: Commands
    weight: int = 1


def _file(pattern: str, *sound: Any) -> Damage:
    def damage(root: Path, chance: random.Random) -> None:
        path = chance.choice(sorted(root.glob(pattern)))
        path.write_bytes(mutated(path.read_bytes(), chance, *sound))

    return damage


def _state(root: Path, chance: random.Random) -> None:
    path = root.parent / "state" / "stores"
    path.write_bytes(mutated(path.read_bytes(), chance))


def _cache(root: Path, chance: random.Random) -> None:
    """A file that only saves work; half of the time with a checksum that is right."""
    path = chance.choice(sorted([*(root / ".epicvc").glob("*.cache"), *(root / ".epicvc").glob("*.mark")]))
    data = path.read_bytes()
    if path.name in ("status.cache", "look.cache") or chance.random() < 0.3:
        path.write_bytes(mutated(data, chance))
        return
    size = 4 if path.name == "config.cache" else 32
    start = data.index(b"\x93" if size == 4 else b"\x80" if b"\x80" in data[:24] else data[18:19], 12)
    body = mutated(data[start:-size], chance, packed_values)
    data = data[:start] + body
    path.write_bytes(data + (zlib.crc32(data).to_bytes(4, "big") if size == 4 else sha256(data).digest()))


def packed_values(data: bytes, chance: random.Random) -> bytes:
    """Sound MessagePack that says something else."""
    try:
        value = msgspec.msgpack.decode(data)
    except (ValueError, RecursionError):
        return data
    try:
        return msgspec.msgpack.encode(change_value(value, chance))
    except (OverflowError, TypeError, ValueError):
        return data


def _database(root: Path, chance: random.Random) -> None:
    """The bytes of the database's file."""
    path = root / "p.db"
    path.write_bytes(mutated(path.read_bytes(), chance))


def _rows(root: Path, chance: random.Random) -> None:
    """Values in the database."""
    with closing(sqlite3.connect(root / "p.db", isolation_level=None)) as connection:
        for _ in range(chance.choice((1, 1, 3))):
            table = chance.choice(("framework_epics", "framework_tasks", "task_dependencies", "_epicvc_state"))
            columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
            if not columns:
                continue
            column = chance.choice(columns)
            old = connection.execute(f'SELECT "{column}" FROM {table} LIMIT 1').fetchone()
            text = old[0].encode() if old and isinstance(old[0], str) else b'{"a": [1, "b"]}'
            new: Any = chance.choice(
                (
                    mutated(text, chance, json_values).decode("utf-8", "replace"),
                    mutated(text, chance),
                    chance.choice((None, -1, 0, 2**63 - 1, 1.5, float("inf"), "", "x" * 70_000, b"\xff", "\0")),
                )
            )
            try:
                connection.execute(f'UPDATE {table} SET "{column}" = ?', (new,))
            except sqlite3.Error:
                continue  # a constraint holds it back


_DEFINITIONS = (
    "CREATE VIEW v{n} AS SELECT * FROM framework_epics",
    "CREATE VIEW v{n} AS SELECT * FROM gone",
    "CREATE VIEW _epicvc_v AS SELECT 1",
    "CREATE TRIGGER t{n} AFTER UPDATE ON framework_epics BEGIN UPDATE framework_tasks SET title = title || 'x'; END",
    "CREATE TRIGGER t{n} AFTER INSERT ON framework_tasks BEGIN DELETE FROM framework_epics; END",
    "CREATE TABLE [a\"'{n}`](x, y INTEGER GENERATED ALWAYS AS (x + 1), CHECK (x < 5))",
    "CREATE TABLE w{n}(a, b, PRIMARY KEY (a, b)) WITHOUT ROWID",
    "CREATE TABLE s{n}(a INTEGER PRIMARY KEY, b ANY) STRICT",
    "CREATE VIRTUAL TABLE f{n} USING fts5(a)",
    "CREATE INDEX i{n} ON framework_epics(lower(name)) WHERE name <> ''",
    "ALTER TABLE framework_tasks DROP COLUMN risk",
    "ALTER TABLE framework_epics RENAME COLUMN summary TO abstract",
    "ALTER TABLE framework_tasks ADD COLUMN c{n} TEXT DEFAULT 'x'",
    "DROP TABLE task_dependencies",
    "DELETE FROM framework_tasks",
    "PRAGMA user_version = -1",
    "PRAGMA application_id = 2147483647",
    "PRAGMA journal_mode = WAL",
)


def _schema(root: Path, chance: random.Random) -> None:
    """What is defined in the database; now and then as no sound SQL."""
    with closing(sqlite3.connect(root / "p.db", isolation_level=None)) as connection:
        for number in range(chance.randint(1, 3)):
            try:
                connection.execute(chance.choice(_DEFINITIONS).format(n=number))
            except sqlite3.Error:
                continue
        if chance.random() < 0.4:
            connection.execute("PRAGMA writable_schema = ON")
            found = connection.execute("SELECT rowid, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
            rowid, sql = chance.choice(found)
            new = mutated(sql.encode(), chance).decode("utf-8", "replace")
            connection.execute("UPDATE sqlite_master SET sql = ? WHERE rowid = ?", (new, rowid))


def _store_bytes(root: Path, chance: random.Random) -> None:
    path = root / ".epicvc" / "store.db"
    path.write_bytes(mutated(path.read_bytes(), chance))


_RECORDS = {
    "meta": ("value",),
    "ref": ("name", "value"),
    "operation": ("id", "time", "command", "description", "user", "before", "after", "undoes", "redoes"),
    "pending": ("operation", "command", "database", "prepared", "before", "after", "details"),
}


def _records(root: Path, chance: random.Random) -> None:
    """Rows of the store other than objects, with checksums that are right: refs, operations, the journal."""
    with Store.open(root / ".epicvc" / "store.db") as store:
        database = store._db._raw
        table = chance.choice(("meta", "ref", "operation", "operation", "pending", "pending"))
        if table == "pending":
            view = database.execute("SELECT after FROM operation ORDER BY seq DESC LIMIT 1").fetchone()[0]
            row = (
                "0" * 32,
                "sync",
                chance.randrange(2),
                chance.randrange(2),
                view,
                chance.choice((view, None)),
                "{}",
                0,
            )
            names = "one, operation, command, database, prepared, before, after, details, crc"
            database.execute(f"INSERT OR REPLACE INTO pending ({names}) VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?)", row)
        column = chance.choice(_RECORDS[table])
        rows = database.execute(f"SELECT {column} FROM {table}").fetchall()
        (old,) = chance.choice(rows)
        text = str(old).encode()
        new: Any = mutated(text, chance, json_values)
        new = chance.choice((new.decode("utf-8", "replace"), new.decode("utf-8", "replace"), new, 5, -1.5))
        try:
            database.execute(f"UPDATE {table} SET {column} = ? WHERE {column} IS ?", (new, old))
            seal(store)
        except sqlite3.Error:
            pass  # a constraint holds it back


def _objects(root: Path, chance: random.Random) -> None:
    """An object that says something else and bears its name: whoever makes a store can compute that, up to the refs."""
    with Store.open(root / ".epicvc" / "store.db") as store:
        known = {oid: (kind, payload) for oid, kind, payload in _payloads(store)}
        oid = chance.choice(sorted(oid for oid, (kind, _) in known.items() if kind != ObjectType.DICTIONARY))
        kind, payload = known[oid]
        sound = packed_values if kind in (ObjectType.NODE,) else json_values
        _replace(store, known, {oid: mutated(payload, chance, sound)})


def _payloads(store: Store) -> Iterator[tuple[bytes, ObjectType, bytes]]:
    rows = store._db._raw.execute("SELECT id, type, codec, size, data FROM object ORDER BY type").fetchall()
    dictionaries = Dictionaries(store)
    for row in rows:
        yield row[0], ObjectType(row[1]), unpack(Packed(*row), dictionaries)


def _replace(store: Store, known: dict[bytes, tuple[ObjectType, bytes]], changed: dict[bytes, bytes]) -> None:
    """Store other payloads, and whatever names their objects anew, until the refs do."""
    database, renamed = store._db._raw, dict[bytes, bytes]()
    while changed:
        oid, payload = changed.popitem()
        kind, _ = known[oid]
        new = object_id(kind, payload)
        known[oid] = kind, payload
        renamed[oid] = new
        database.execute("INSERT OR IGNORE INTO object VALUES (?, ?, ?, ?, ?)", pack(new, kind, payload))
        for other, (_, text) in known.items():
            if other != oid and (oid in text or oid.hex().encode() in text):
                changed[other] = text.replace(oid, new).replace(oid.hex().encode(), new.hex().encode())
    for old, new in renamed.items():
        database.execute("UPDATE ref SET value = replace(value, ?, ?)", (old.hex(), new.hex()))
        for column in ("before", "after"):
            database.execute(f"UPDATE operation SET {column} = replace({column}, ?, ?)", (old.hex(), new.hex()))
    seal(store)


def _bundle(root: Path, chance: random.Random) -> None:
    """A bundle: its bytes, or a part of it with every checksum right."""
    (path,) = (root / "backups").glob("*.bundle")
    data = path.read_bytes()
    if chance.random() < 0.4:
        path.write_bytes(mutated(data, chance))
        return
    parts, at = [], 8
    while at < len(data) - 32:
        length = int.from_bytes(data[at + 1 : at + 9], "big")
        parts.append((data[at : at + 1], data[at + 9 : at + 9 + length]))
        at += 9 + length
    which = chance.randrange(len(parts))
    kind, body = parts[which]
    if kind == b"P":
        new = mutated(body[:-32], chance)
        new += sha256(new).digest()
    else:
        new = mutated(body, chance, json_values)
    parts[which] = kind, new
    parts = [(k, p.replace(pack_id(body).encode(), pack_id(new).encode()) if k == b"L" else p) for k, p in parts]
    whole = data[:8] + b"".join(k + len(p).to_bytes(8, "big") + p for k, p in parts)
    path.write_bytes(whole + sha256(whole).digest())


RESOLVING: Commands = (
    "resolve --json",
    "resolve --from answers.json",
    "resolve --from answers.json --dry-run",
    "resolve --replay",
    "status",
    "resolve --prefer files",
    "resolve --forget -n",
)

TARGETS: dict[str, Target] = {
    "epic file": Target(
        _file("epics/*.json", json_values),
        (
            *READING,
            *WRITING,
            "enrich",
            "check epics/a.json",
            "textconv epics/a.json",
            "clean files -n",
            "plan",
            "show HEAD",
            "blame 1",
            "merge-file -p epics/a.json epics/b.json epics/a.json",
            "merge x",
            "diff",
        ),
        6,
    ),
    "configuration": Target(
        _file("epicvc.toml", toml_values), (*READING, *WRITING, "plan", "enrich", "check epics/a.json"), 3
    ),
    "private configuration": Target(_file(".epicvc/config", toml_values), ("status", "sync -n", "doctor --json"), 1),
    "store's bytes": Target(_store_bytes, (*READING, "op log --json", "sync", "branch", "tag", "fsck --full", "gc"), 2),
    "store's records": Target(
        _records,
        (*READING, "op log --json", "sync", "branch", "undo", "redo", "gc", "merge x", "backup list", "fsck --full"),
        3,
    ),
    "store's objects": Target(
        _objects,
        (
            *READING,
            *WRITING,
            "fsck --full",
            "show HEAD",
            "diff HEAD~1 HEAD",
            "merge x",
            "blame 1:name",
            "rollback cp",
            "gc",
            "backup list",
            "backup verify",
            "restore -s HEAD 1",
            "checkout HEAD~1 --discard-changes",
            "undo",
            "revert HEAD",
            "cherry-pick HEAD",
            "resolve --json",
        ),
        5,
    ),
    "bundle": Target(
        _bundle,
        (
            "backup list --from backups",
            "backup verify --from backups",
            "backup restore latest --from backups --to back",
            "backup restore latest --from backups --to back --json",
        ),
        3,
    ),
    "answers": Target(_file("answers.json", json_values), RESOLVING[1:3], 2),
    "drafts": Target(_file(".epicvc/resolve.json", json_values), RESOLVING, 1),
    "resolutions": Target(_file(".epicvc/resolutions/*", json_values), RESOLVING, 1),
    "plans": Target(_file(".epicvc/plans.json", json_values), ("plan", "plan --json", "enrich", "plan --schedule"), 1),
    "caches": Target(_cache, ("status --porcelain", "status", "sync", "diff", "commit -m x", "doctor --json"), 2),
    "enriched files": Target(
        _file("epics/enriched/*.json", json_values), ("enrich", "enrich --check", "plan", "status", "doctor"), 1
    ),
    "list of stores": Target(_state, ("status", "sync", "doctor --json", "log", "adopt -n"), 1),
    "database's bytes": Target(_database, (*READING, *WRITING, "clean db -n"), 1),
    "database's rows": Target(_rows, (*READING, *WRITING, "plan", "enrich", "clean db -n", "resolve --json"), 2),
    "database's schema": Target(
        _schema, (*READING, *WRITING, "merge x", "rollback cp", "migrate status", "clean db -n"), 2
    ),
    "migrations": Target(
        _file("migrations/*.sql"), ("migrate status", "migrate up", "migrate verify", "migrate down"), 1
    ),
}
"""Every kind of input, by name."""
