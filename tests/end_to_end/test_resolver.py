"""``resolve`` at a real pseudo-terminal: keys in, screen out, and both sides afterwards."""

from __future__ import annotations

import contextlib
import re
import shlex
import signal
import sys

import pytest
from support.disputes import make_conflicts, sides_of
from support.repos import EpicRepo
from support.terminal import DOWN, ENTER, ESCAPE, INTERRUPT, PAGE_DOWN, STOP, Tty, terminal

EPICVC = [sys.executable, "-m", "epicvc"]


def resolver(
    repo: EpicRepo, *arguments: str, columns: int = 80, lines: int = 24, **environment: str
) -> contextlib.AbstractContextManager[Tty]:
    command = [*EPICVC, "resolve", *arguments]
    return terminal(command, repo.root, columns=columns, lines=lines, **environment)


def _editor(repo: EpicRepo, *texts: str) -> str:
    """An editor that writes one text each time it is called, and keeps what it was given."""
    script = repo.root / "editor.py"
    script.write_text(
        "import pathlib, sys\n"
        f"texts = {texts!r}\n"
        "log = pathlib.Path(__file__).with_name('edited')\n"
        "log.mkdir(exist_ok=True)\n"
        "number = len(list(log.iterdir()))\n"
        "path = pathlib.Path(sys.argv[-1])\n"
        "modes = f'{path.stat().st_mode & 0o777:o} {path.parent.stat().st_mode & 0o777:o}'\n"
        "(log / str(number)).write_text(path.name + '\\n' + modes + '\\n' + path.read_text())\n"
        "path.write_text(texts[number])\n"
    )
    return shlex.join([sys.executable, str(script), "an argument"])


def test_walk_through_and_apply(repo: EpicRepo) -> None:
    name, goals = make_conflicts(repo)
    with resolver(repo) as tty:
        shown = tty.until("resolve: 1 of 2", "leave")
        assert name in shown
        # Side by side at 80 columns, with where each value comes from.
        assert any(line.split() == ["base", "│", "files", "│", "db"] for line in shown.splitlines())
        assert "agreed in" in shown
        assert "not committed yet" in shown
        shown = tty.press("f", "resolve: 2 of 2", f"{name}: files")
        assert goals in shown
        tty.press("i", "[x] ! + files", "take or not")
        tty.press(ENTER, "resolve: summary", "2 of 2 answered", "chosen items")
        before = repo.everything()
        tty.send("y")
        assert tty.end() == 0
        assert tty.restored()
        assert "settled" in tty.text
    assert repo.everything() != before
    assert sides_of(repo, "name") == ("name of the files", "name of the files")
    file, row = sides_of(repo, "goals")
    assert file == row
    assert {"mine", "theirs", "files' own", "db's own"} <= set(file)
    status = repo.json("status")
    assert (status["in_sync"], status["conflicts"]) == (True, 0)
    assert not (repo.root / ".epicvc" / "resolve.json").exists()
    # One operation, which can be taken back as a whole.
    repo.ok("undo")
    assert sides_of(repo, "name") == ("name of the files", "name of the db")


def test_leaving_keeps_answers_and_changes_nothing(repo: EpicRepo) -> None:
    _name, _ = make_conflicts(repo)
    before = repo.everything()
    with resolver(repo) as tty:
        tty.until("resolve: 1 of 2", "leave")
        tty.press("d", "resolve: 2 of 2")
        tty.send("q")
        assert tty.end() == 1
        assert tty.restored()
        assert "1 of 2 conflicts answered, nothing applied" in tty.text
    assert repo.everything() == before
    with resolver(repo) as tty:
        tty.until("resumed with 1 answer", "resolve: 2 of 2", "1 answered")
        tty.press("u", "no choice to undo")
        shown = tty.press("p", "resolve: 1 of 2", "answer: db")
        assert "✓ chosen" in shown
        tty.press("n", "resolve: 2 of 2")
        tty.press("b", "resolve: summary")
        tty.send("y")
        assert tty.end() == 0
    assert sides_of(repo, "name") == ("name of the db", "name of the db")


def test_an_answer_to_what_has_changed_since_is_dropped(made: EpicRepo) -> None:
    _name, _ = make_conflicts(made)
    with resolver(made) as tty:
        tty.until("leave")
        tty.press("f", "resolve: 2 of 2")
        tty.send("q")
        tty.end()
    made.sql("UPDATE framework_epics SET name = 'changed again' WHERE epic_key = ?", made.facts.epic)
    with resolver(made) as tty:
        tty.until("resolve: 1 of 2", "0 answered", "dropped 1 answer", "changed", "again")


def test_what_changes_while_it_is_open_stays_open(made: EpicRepo) -> None:
    make_conflicts(made)
    with resolver(made) as tty:
        tty.until("leave")
        tty.press("f", "resolve: 2 of 2")
        tty.press("d", "resolve: summary")
        made.sql("UPDATE framework_epics SET name = 'later' WHERE epic_key = ?", made.facts.epic)
        tty.send("y")
        assert tty.end() == 1
    assert sides_of(made, "name") == ("name of the files", "later")
    assert made.json("status")["conflicts"] == 1


def test_edit_with_validation(repo: EpicRepo) -> None:
    name, _goals = make_conflicts(repo)
    editor = _editor(repo, "mine ✓\n", "[1, 2", '["edited"]')
    with resolver(repo, VISUAL=editor, EDITOR="false") as tty:
        tty.until("leave")
        tty.press("e", "resolve: 2 of 2", f"{name}: edited")
        tty.press("e", "goes on editing")
        tty.press("e", "resolve: summary")
        tty.send("y")
        assert tty.end() == 0
        assert tty.restored()
    assert sides_of(repo, "name") == ("mine ✓", "mine ✓")
    assert sides_of(repo, "goals") == (["edited"], ["edited"])
    first, second, third = (path.read_text().split("\n") for path in sorted((repo.root / "edited").iterdir()))
    assert first[0].endswith(".txt")
    assert first[2] == "name of the files"
    assert second[0].endswith(".json")
    assert third[2] == "[1, 2"  # what did not fit is there again
    assert first[1] == second[1] == "600 700"


def test_an_edited_value_must_fit_its_field(repo: EpicRepo) -> None:
    epic, task = repo.facts.epic, repo.facts.tasks[0]
    change = lambda body: body["tasks"][0].update(estimate_minutes=11)  # noqa: E731
    repo.rewrite(epic, change)
    repo.sql("UPDATE framework_tasks SET estimate_minutes = 12 WHERE task_key = ?", task)
    with resolver(repo, EDITOR=_editor(repo, '"many"', "13")) as tty:
        tty.until("resolve: 1 of 1", "number")
        tty.press("e", "must be a number")
        tty.press("e", "resolve: summary", "13")
        tty.send("y")
        assert tty.end() == 0
    assert (repo.file_task(epic, task)["estimate_minutes"], repo.task_row(task)["estimate_minutes"]) == (13, 13)


@pytest.mark.parametrize(
    ("editor", "said"),
    [
        ("false", "ended with 1"),
        ("true", "nothing was changed"),
        ("/no/such/editor", "cannot run"),
        ("'", "no command"),
    ],
)
def test_editors_that_give_nothing(made: EpicRepo, editor: str, said: str) -> None:
    make_conflicts(made)
    with resolver(made, EDITOR=editor) as tty:
        tty.until("leave")
        tty.press("e", said, "0 answered")


def test_the_editor_is_run_without_a_shell(made: EpicRepo) -> None:
    make_conflicts(made)
    with resolver(made, EDITOR="echo ; touch hacked") as tty:
        tty.until("leave")
        tty.press("e", "nothing was changed", "0 answered")
    assert not list(made.root.rglob("hacked"))


def test_interrupt_leaves_everything_as_it_was(made: EpicRepo) -> None:
    make_conflicts(made)
    before = made.everything()
    with resolver(made) as tty:
        tty.until("leave")
        tty.press("f", "resolve: 2 of 2")
        tty.send(INTERRUPT)
        assert tty.end() == 130
        assert tty.restored()
    assert made.everything() == before
    with resolver(made) as tty:
        tty.until("resumed with 1 answer")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP], ids=lambda number: number.name)
def test_signals_put_the_terminal_right(made: EpicRepo, number: signal.Signals) -> None:
    make_conflicts(made)
    with resolver(made) as tty:
        tty.until("leave")
        tty.press("f", "resolve: 2 of 2")
        tty.kill(number)
        assert tty.end() == (130 if number is signal.SIGINT else -number)
        assert tty.restored()
    with resolver(made) as tty:
        tty.until("resumed with 1 answer")


def test_a_lost_connection_loses_no_answer(made: EpicRepo) -> None:
    make_conflicts(made)
    with resolver(made) as tty:
        tty.until("leave")
        tty.press("f", "resolve: 2 of 2")
        tty.hang_up()
        assert tty.ended() != 0
    with resolver(made) as tty:
        tty.until("resumed with 1 answer")


def test_stop_and_continue(made: EpicRepo) -> None:
    make_conflicts(made)
    shell = ["bash", "--norc", "--noprofile", "-i"]
    with terminal(shell, made.root, PS1="ready> ", HISTFILE="") as tty:
        tty.until("ready>")
        tty.press(shlex.join([*EPICVC, "resolve"]) + "\n", "resolve: 1 of 2", "leave")
        tty.press("f", "resolve: 2 of 2")
        tty.press(STOP, "Stopped")
        tty.press("echo $((6 * 7))\n", "42")
        tty.press("fg\n", "resolve: 2 of 2", "1 answered")
        tty.press("q", "nothing applied")
        tty.press("echo ended $?\n", "ended 1")


def test_a_narrower_window_stacks_the_values(made: EpicRepo) -> None:
    make_conflicts(made)
    with resolver(made, columns=100) as tty:
        assert "│" in tty.until("leave")
        tty.resize(56, 20)
        tty.press("", "files · not committed")
        assert "│" not in tty.text
        assert all(len(line) <= 56 for line in tty.text.splitlines())
        tty.press("v", "side by side")
        tty.resize(20, 8)
        tty.press("v", "resolve: 1 of 2")


def test_without_colour_and_with(made: EpicRepo) -> None:
    make_conflicts(made)
    with resolver(made, NO_COLOR="1") as tty:
        assert "{+" in tty.until("leave")
        assert _styles(tty) <= {"", "0", "1", "2", "4", "7", "9"}
    with resolver(made) as tty:
        assert "{+" not in tty.until("leave")
        assert {"31", "32"} <= _styles(tty)


def _styles(tty: Tty) -> set[str]:
    """What every escape sequence for styles says, bold and the like as well as colours."""
    return {part.decode() for found in re.findall(rb"\x1b\[([\d;]*)m", tty.raw) for part in found.split(b";")}


def test_hostile_values_do_not_reach_the_terminal(repo: EpicRepo) -> None:
    epic = repo.facts.epic
    repo.rewrite(epic, lambda body: body.update(name="\x1b]0;owned\x07\x1b[2J[red]x[/red]\u202eabc"))
    repo.sql("UPDATE framework_epics SET name = ? WHERE epic_key = ?", "b\x9b31mc", epic)
    with resolver(repo, columns=200) as tty:
        tty.until("leave", "\\e]0;owned\\x07", "[red]x[/red]\\u202eabc", "b\\x9b31mc")
        tty.press("f", "resolve: summary")
        tty.send("y")
        tty.end()
    text = tty.raw.decode()
    assert not any(bad in text for bad in ("\x1b]0", "\x1b[2J", "\u202e", "\x9b"))


def test_stray_keys_and_pastes_do_no_harm(made: EpicRepo) -> None:
    make_conflicts(made)
    with resolver(made) as tty:
        tty.until("leave")
        tty.press("é", "é does nothing here")
        tty.send(b"\xff\xfe\x1b[200~\x1b[999;999Z\x1bOQ")
        tty.press(ESCAPE, "escape does nothing here")
        tty.press(PAGE_DOWN + b"?", "A conflict", "other keys go back")
        tty.press(DOWN, "more line")
        tty.press("z", "resolve: 1 of 2", "0 answered")


def test_a_dumb_terminal_gets_questions_line_by_line(repo: EpicRepo) -> None:
    name, goals = make_conflicts(repo)
    with resolver(repo, columns=100, lines=60, TERM="dumb") as tty:
        tty.until(name, "answer>")
        tty.press("x\n", "x does nothing here")
        tty.press("files\n", f"{name}: files", goals)
        tty.press("i\n", "numbers to take or leave")
        number = next(
            line.split()[0] for line in tty.text.splitlines() if line.endswith("files' own") and "[x]" in line
        )
        tty.press(f"{number}\n", f"{number} [ ]")
        tty.press("\n", "y applies")
        tty.send("y\n")
        assert tty.end() == 0
        assert b"\x1b" not in tty.raw
    file, row = sides_of(repo, "goals")
    assert file == row
    assert "files' own" not in file
    assert "db's own" in file


def test_the_end_of_input_leaves(made: EpicRepo) -> None:
    make_conflicts(made)
    with resolver(made, TERM="dumb") as tty:
        tty.until("answer>")
        tty.send(b"\x04")
        assert tty.end() == 1
    assert made.json("status")["conflicts"] == 2


def test_only_some_conflicts(made: EpicRepo) -> None:
    name, _ = make_conflicts(made)
    with resolver(made, name) as tty:
        tty.until("resolve: 1 of 1", name)
        tty.press("f", "resolve: summary")
        tty.send("y")
        assert tty.end() == 1  # the goals are open
    assert made.json("status")["conflicts"] == 1
    with resolver(made, f"{made.facts.epic}:summary") as tty:
        assert tty.end() == 3


def test_answers_to_other_conflicts_are_kept(made: EpicRepo) -> None:
    name, goals = make_conflicts(made)
    with resolver(made) as tty:
        tty.until("leave")
        tty.press("f", "resolve: 2 of 2")
        tty.send("q")
        tty.end()
    with resolver(made, goals) as tty:
        tty.until("resolve: 1 of 1", goals, "0 answered")
        tty.press("d", "resolve: summary")
        tty.send("y")
        assert tty.end() == 1
    with resolver(made) as tty:
        tty.until("resumed with 1 answer", "resolve: summary", name)
        tty.send("y")
        assert tty.end() == 0
    assert sides_of(made, "name") == ("name of the files", "name of the files")


def test_nothing_to_resolve(made: EpicRepo) -> None:
    with resolver(made) as tty:
        assert tty.end() == 0
        assert "there are no conflicts" in tty.text


def test_the_same_conflict_again_is_answered_already(repo: EpicRepo) -> None:
    repo.ok("checkpoint", "before")
    make_conflicts(repo)
    repo.ok("resolve", "--prefer", "files")
    repo.ok("rollback", "before")
    make_conflicts(repo)
    with resolver(repo) as tty:
        tty.until("resolve: summary", "2 answered as before", "as before")
        tty.press(ENTER, "resolve: 1 of 2", "settled it")
        tty.press("d", "resolve: summary")
        tty.send("y")
        assert tty.end() == 0
    assert sides_of(repo, "name") == ("name of the db", "name of the db")
    file, row = sides_of(repo, "goals")
    assert file == row
    assert file[0] == "mine"


def test_a_merge_of_branches_waits_for_the_same_screens(repo: EpicRepo) -> None:
    epic = repo.facts.epic
    repo.ok("commit", "-m", "before")
    repo.ok("switch", "-c", "theirs")
    repo.rewrite(epic, lambda body: body.update(name="name of theirs", summary="theirs"))
    repo.ok("sync")
    theirs = repo.head()
    repo.ok("switch", "main")
    repo.rewrite(epic, lambda body: body.update(name="name of ours", summary="ours"))
    repo.ok("sync")
    repo.run("merge", "theirs")
    with resolver(repo, columns=150) as tty:
        shown = tty.until("resolve: 1 of 2", "o ours  t theirs  b base")
        assert f"changed in {theirs[:12]}" in shown
        tty.press("t", "resolve: 2 of 2", "theirs")
        tty.press("g", "1 conflict will stay open: ours stays until it is settled")
        tty.press(ENTER, "resolve: 2 of 2")
        tty.press("o", "resolve: summary")
        tty.send("y")
        assert tty.end() == 0
        assert "next: finish it with epicvc merge --continue" in tty.text
    repo.ok("merge", "--continue")
    assert sides_of(repo, "name") == ("name of theirs", "name of theirs")
    assert sides_of(repo, "summary") == ("ours", "ours")
    # The same merge, tried again, is settled as it was.
    repo.ok("undo")
    repo.ok("undo")
    repo.ok("merge", "--abort")
    preview = repo.json("merge", "theirs", "--dry-run")
    report = repo.json("merge", "theirs")
    assert report["replayed"] == preview["replayed"] == [f"{epic}:name", f"{epic}:summary"]
    assert report["conflicts"] == []
    assert sides_of(repo, "name") == ("name of theirs", "name of theirs")
    status = repo.json("status")
    assert (status["clean"], status["in_sync"], status.get("merging")) == (True, True, None)


def test_what_was_replayed_stays_settled_while_the_rest_is_answered(repo: EpicRepo) -> None:
    epic = repo.facts.epic
    repo.ok("commit", "-m", "before")
    repo.ok("switch", "-c", "theirs")
    repo.rewrite(epic, lambda body: body.update(name="name of theirs", summary="theirs"))
    repo.ok("sync")
    repo.ok("switch", "main")
    repo.rewrite(epic, lambda body: body.update(name="name of ours", summary="ours"))
    repo.ok("sync")
    repo.run("merge", "theirs")
    repo.run("resolve", f"{epic}:name", "--prefer", "theirs")
    repo.ok("merge", "--abort")
    assert repo.json("merge", "theirs", code=1)["replayed"] == [f"{epic}:name"]
    repo.ok("resolve", f"{epic}:summary", "--prefer", "ours")
    repo.ok("merge", "--continue")
    assert sides_of(repo, "name") == ("name of theirs", "name of theirs")
    assert sides_of(repo, "summary") == ("ours", "ours")
