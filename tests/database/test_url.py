from __future__ import annotations

from pathlib import Path

import pytest

from epicvc.database.quoting import quote_identifier
from epicvc.database.url import open_backend, parse_url
from epicvc.errors import Unavailable, UnsafeName, UsageError


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("framework.db", "framework.db"),
        ("/a/b c?d#e%41.db", "/a/b c?d#e%41.db"),
        ("sqlite:///framework.db", "framework.db"),
        ("sqlite:////var/lib/framework.db", "/var/lib/framework.db"),
        ("SQLite:///x y.db", "x y.db"),
        ("C:/plans/framework.db", "C:/plans/framework.db"),
        ("a:b.db", "a:b.db"),
    ],
)
def test_files(text: str, path: str) -> None:
    url = parse_url(text)
    assert (url.kind, url.path, url.dsn, url.has_password) == ("sqlite", Path(path), None, False)


@pytest.mark.parametrize(
    ("text", "display", "has_password"),
    [
        ("postgresql://h/db", "postgresql://h/db", False),
        ("postgres://me@h:5432/db", "postgresql://me@h:5432/db", False),
        ("postgresql://me:SECRET@h/db", "postgresql://me:***@h/db", True),
        ("postgresql://me:SE:CRET@h/db", "postgresql://me:***@h/db", True),
        ("postgresql://me:SE@CRET@h/db", "postgresql://me:***@h/db", True),
        ("postgresql://me:@h/db", "postgresql://me:***@h/db", False),
        ("postgresql:///db?host=/tmp&user=me", "postgresql:///db?host=/tmp&user=me", False),
        ("postgresql://h/db?password=SECRET&x=y", "postgresql://h/db?password=***&x=y", True),
        ("postgresql://h/db?x=y&sslpassword=SECRET", "postgresql://h/db?x=y&sslpassword=***", True),
        ("postgresql://h/db?PASSWORD=SECRET", "postgresql://h/db?PASSWORD=***", True),
        ("postgresql://h/db?pass%77ord=SECRET", "postgresql://h/db?pass%77ord=***", True),
        ("postgresql://h/db?application_name=a@b", "postgresql://h/db?application_name=a@b", False),
        ("postgresql://[::1]:5432/db", "postgresql://[::1]:5432/db", False),
        ("postgresql://me:SECRET@a:1,b:2/db", "postgresql://me:***@a:1,b:2/db", True),
    ],
)
def test_servers(text: str, display: str, has_password: bool) -> None:
    url = parse_url(text)
    assert (url.kind, url.path, url.dsn) == ("postgresql", None, text)
    assert (url.display, url.has_password) == (display, has_password)
    assert "SECRET" not in repr(url) + str(url)
    with pytest.raises(Unavailable) as caught:
        open_backend(url)
    assert caught.value.exit_code == 6
    assert "SECRET" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":memory:",
        "sqlite:",
        "sqlite://",
        "sqlite:///",
        "sqlite:///:memory:",
        "sqlite://host/SECRET",
        "mysql://me:SECRET@h/db",
        "postgresql+psycopg://me:SECRET@h/db",
        "file:x.db?mode=ro",
        "postgresql://me:SE/CRET@h/db",
        "postgresql://me:SE?CRET@h/db@",
        "host=h password=SECRET",
        "password = SECRET host=h",
        "a\0b",
    ],
)
def test_what_names_no_database(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_url(text)
    assert "SECRET" not in str(caught.value) + str(caught.value.hint)


def test_opening_opens_nothing(tmp_path: Path) -> None:
    backend = open_backend(str(tmp_path / "no.db"), ignore=frozenset(["t"]), timeout=1.0)
    assert not backend.exists()
    assert backend.display == str(tmp_path / "no.db")
    assert not (tmp_path / "no.db").exists()


def test_quoting() -> None:
    assert quote_identifier('weird "name') == '"weird ""name"'
    assert quote_identifier("") == '""'
    assert quote_identifier("ação") == '"ação"'
    for bad in ("a\0b", "\ud800"):
        with pytest.raises(UnsafeName):
            quote_identifier(bad)
