"""A document with an `id` of its own beside `epic` may be either: refused by whoever reads it as an epic."""

from __future__ import annotations

import json

from support.repos import EpicRepo

LINKED = {"id": "X-1", "name": "N", "epic": {"id": "X-0", "name": "Parent"}}


def test_every_command_names_the_file(garden: EpicRepo) -> None:
    (garden.directory / "linked.json").write_text(json.dumps(LINKED))
    for command in ("sync", "pull", "push"):
        garden.held_up(command, naming='linked.json: it has an "id" beside "epic"')
    assert 'linked.json: it has an "id" beside "epic"' in garden.ok("status").out
    assert garden.one("SELECT count(*) FROM framework_epics") == 2
    assert "linked.json" in garden.run("doctor").out


def test_enriching_names_the_file(garden: EpicRepo) -> None:
    (garden.directory / "linked.json").write_text(json.dumps(LINKED))
    said = garden.run("enrich")
    assert said.code == 4
    assert 'linked.json: it has an "id" beside "epic"' in said.out
    assert not list(garden.root.rglob("enriched_linked.json"))


def test_it_is_no_copy_of_either_epic(garden: EpicRepo) -> None:
    linked = [garden.directory / name for name in ("linked.json", "linked-too.json")]
    for path in linked:
        path.write_text(json.dumps(LINKED))
    own = garden.directory / "parent.json"
    own.write_text(json.dumps(LINKED["epic"]))
    found = garden.json("clean", "files", "--duplicates")
    assert not found["done"]
    assert {item["place"] for item in found["kept"]} == {path.name for path in linked}
    assert all('it has an "id" beside "epic"' in item["what"] for item in found["kept"])
    assert own.exists() and all(path.exists() for path in linked)


def test_merge_file(garden: EpicRepo) -> None:
    names = []
    for name, value in (("ours", {**LINKED, "name": "M"}), ("base", LINKED), ("theirs", {**LINKED, "more": 1})):
        path = garden.root / name
        path.write_text(json.dumps(value))
        names.append(str(path))
    merged = json.loads(garden.ok("merge-file", "-p", *names).out)
    assert merged == {**LINKED, "name": "M", "more": 1}
