"""A directory of files as a set: names, encodings, pairs, and each way in which it can be broken."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from epicvc.database.migrations import directory as reading
from epicvc.database.migrations.directory import builtin_directory, read_directory
from epicvc.database.migrations.migration import Migration
from epicvc.errors import InvalidMigration, NotFound
from tests.database.migrations.files import read, write

UP, DOWN = "CREATE TABLE a (x);\n", "DROP TABLE a;\n"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "migrations"


def problem(place: Path, **files: str | bytes) -> str:
    """The one problem of a set."""
    (found,) = read(place, **files).problems
    return found.message


def test_pairs_in_both_spellings_and_dependencies(place: Path) -> None:
    found = read(
        place,
        _001_first=UP,
        _001_rollback=DOWN,
        _002_second="-- what it does\n-- depends: 001\n\nDROP TABLE a; -- depends: 009",
        _002_second__rollback=UP,
        _010_third="-- Depends on: 001, 2\n-- depends: 001\nSELECT 1;",
    )
    assert not found.problems
    assert [(m.title, m.dependencies, m.rollback_sql) for m in found.migrations] == [
        ("001 first", (), DOWN),
        ("002 second", ("001",), UP),
        ("010 third", ("001", "2"), None),
    ]


def test_line_ends_and_byte_order_mark_change_no_checksum(place: Path, tmp_path: Path) -> None:
    text = "CREATE TABLE a (\n x TEXT DEFAULT 'two\nlines'\n);\n"
    plain = read(place, _001_a=text).migrations[0]
    for number, data in enumerate(
        [
            text.replace("\n", "\r\n").encode(),
            text.replace("\n", "\r").encode(),
            b"\xef\xbb\xbf" + text.encode(),
            b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode(),
        ]
    ):
        other = read(tmp_path / str(number), _001_a=data).migrations[0]
        assert (other.checksum, other.sql, other.statements) == (plain.checksum, plain.sql, plain.statements)
    assert read(tmp_path / "other", _001_a=text + "\n").migrations[0].checksum != plain.checksum


def test_other_files_are_left_alone(place: Path) -> None:
    found = read(place, _001_a=UP)
    for name in ("README.md", ".001_b.sql.swp", ".#001_b.sql", "001_a.sql~", "001_b.py"):
        (place / name).write_text("nothing")
    assert read_directory(place) == found


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"_001_a": UP, "_001_b": UP}, "migrations/001_b.sql: has the number of 001_a.sql"),
        ({"_001_a": UP, "_01_b": UP}, "migrations/01_b.sql: has the number of 001_a.sql"),
        ({"_001_a": UP, "_001_rollback": DOWN, "_001_a__rollback": DOWN}, "is a second rollback of 001"),
        ({"_002_rollback": DOWN}, "migrations/002_rollback.sql: takes back a migration that is not there"),
        ({"_001_a": UP, "_001_b__rollback": DOWN}, "takes back b, and 001 is a"),
        ({"_001_a": ""}, "migrations/001_a.sql: holds no statement"),
        ({"_001_a": " \n-- nothing yet\n/* ; */;\n"}, "migrations/001_a.sql: holds no statement"),
        ({"_001_a": UP, "_001_rollback": "\ufeff"}, "migrations/001_rollback.sql: holds no statement"),
        ({"_001_a": b"SELECT 1;\nSELECT 'caf\xe9';"}, "001_a.sql:2: is not UTF-8 (byte 0xe9 at offset 21)"),
        ({"_001_a": "SELECT 1;".encode("utf-16")}, "001_a.sql:1: is not UTF-8 (byte 0xff at offset 0)"),
        ({"_001_a": b"\xef\xbb\xbf\xef\xbb\xbfSELECT 1;"}, "001_a.sql:1: holds a byte order mark in the middle"),
        ({"_001_a": "SELECT 1;\nSELECT\0 2;"}, "001_a.sql:2: holds a NUL character"),
        ({"_001_a": "SELECT 1;\n\nSELECT 'x;"}, "001_a.sql:3: a string begins here and never ends"),
        ({"_001_a": "SELECT 1;\nCOMMIT;"}, "001_a.sql:2: COMMIT is refused"),
        ({"_001_a": UP, "_001_rollback": "\nVACUUM;"}, "001_rollback.sql:2: VACUUM is refused"),
        ({"_001_a": "-- x\n-- depends: first\nSELECT 1;"}, "001_a.sql:2: depends on 'first', which is no version"),
        ({"seed": UP}, "migrations/seed.sql: is no migration's name"),
        ({"_0001a": UP}, "migrations/0001a.sql: is no migration's name"),
        ({"_" + "1" * 19 + "_a": UP}, "is no migration's name"),
        ({"_001_a b": UP}, "has a name with other signs"),
        ({"_001_x'); DROP TABLE a; --": UP}, "has a name with other signs"),
        ({"_001_new\nline": UP}, "has a name with other signs"),
        ({"_001_\x1b[31mred": UP}, "has a name with other signs"),
        ({"_001_" + "a" * 101: UP}, "has a name with other signs"),
    ],
)
def test_each_broken_set_has_its_own_words(place: Path, files: dict[str, str | bytes], words: str) -> None:
    assert words in problem(place, **files)


def test_what_is_no_plain_file_of_the_directory(place: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.sql"
    secret.write_text("SELECT 'secret';")
    write(place)
    (place / "001_link.sql").symlink_to(secret)
    (place / "002_inside.sql").symlink_to("001_link.sql")
    (place / "003_directory.sql").mkdir()
    os.mkfifo(place / "004_pipe.sql")
    (place / "005_nowhere.sql").symlink_to("nowhere")
    found = read_directory(place)
    assert found.migrations == ()
    assert [p.message.split(": ")[1].split(";")[0] for p in found.problems] == [
        "is a symbolic link",
        "is a symbolic link",
        "is no regular file",
        "is no regular file",
        "is a symbolic link",
    ]


def test_a_huge_file_is_not_read(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MAX_BYTES", 10)
    assert "has 20 bytes; 10 are the most" in problem(place, _001_a=UP)


def test_no_directory(place: Path, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no directory of migrations"):
        read_directory(place)
    (tmp_path / "file").touch()
    with pytest.raises(NotFound):
        read_directory(tmp_path / "file")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"version": "one", "sql": UP}, "is no number"),
        ({"version": "1; DROP TABLE a", "sql": UP}, "is no number"),
        ({"version": "١", "sql": UP}, "is no number"),
        ({"version": "1", "sql": UP, "dependencies": ["x' OR 1=1"]}, "which is no version"),
        ({"version": "1", "sql": "BEGIN;"}, "migration 1:1: BEGIN is refused"),
        ({"version": "1", "sql": UP, "rollback_sql": "-- none"}, "rollback of 1: holds no statement"),
    ],
)
def test_a_migration_is_checked_when_it_is_made(values: dict[str, object], words: str) -> None:
    with pytest.raises(InvalidMigration, match=words):
        Migration(**values)  # type: ignore[arg-type]


def test_the_projects_own_are_sound_and_each_has_its_rollback() -> None:
    found = read_directory(builtin_directory())
    assert not found.problems
    assert [m.title for m in found.migrations] == [
        "000 create_framework_tables",
        "001 create_migration_table",
        "002 enhance_framework_epics",
        "003 add_performance_indexes",
    ]
    assert all(m.rollback_sql for m in found.migrations)
