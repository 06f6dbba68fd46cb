"""Random values, epics and sets of epics, and what somebody makes of them; and how a law is required."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from typing import Any, cast

from support.plans import State

from epicvc.base.jsonio import JSON
from epicvc.model.document import Core, tasks_of

WORDS = ["", "a", "b", "c", "Ç ã", "\u0000", "~/", "1", "long " * 9]
NUMBERS: list[JSON] = [0, 1, 1.0, -1, 0.5, 10**30, True, False]
SETS = ("labels", "priority_tags")
EXTRAS = ("_note", "team", "history")
"""Keys that no field is for."""


class Maker:
    """Makes values, and what somebody makes of them."""

    def __init__(self, number: int) -> None:
        self.pick = random.Random(number)

    def text(self) -> str:
        if self.pick.random() < 0.4:
            return "\n".join(self.pick.choice(["x", "y", "z", "", "w w"]) for _ in range(self.pick.randrange(2, 7)))
        return self.pick.choice(WORDS)

    def value(self, depth: int = 0) -> JSON:
        kind = self.pick.randrange(7 if depth < 3 else 3)
        if kind == 0:
            return self.text()
        if kind in (1, 2):
            return self.pick.choice([self.pick.choice(NUMBERS), self.pick.choice(WORDS)])
        if kind == 3:
            return [self.value(depth + 1) for _ in range(self.pick.randrange(5))]
        if kind == 4:
            keys = self.pick.sample("123456", self.pick.randrange(1, 5))
            return [{"id": key, **self.members(depth + 1)} for key in keys]
        return self.members(depth + 1)

    def members(self, depth: int) -> dict[str, JSON]:
        return {self.pick.choice(["a", "b", "c/d", ""]): self.value(depth) for _ in range(self.pick.randrange(4))}

    def edited(self, value: JSON) -> JSON:
        """What somebody made of a value: mostly the same, with something changed inside."""
        chance = self.pick.random()
        if chance < 0.15:
            return self.value(2)
        if isinstance(value, dict):
            result = {k: self.edited(v) if k != "id" and self.chance(0.3) else v for k, v in value.items()}
            if self.chance(0.2):
                result.update(self.members(2))
            return {k: v for k, v in result.items() if k == "id" or not self.chance(0.1)}
        if isinstance(value, list):
            return self.edited_list(value)
        if isinstance(value, str) and "\n" in value:
            return "\n".join(cast("list[str]", self.edited_list(cast("list[JSON]", value.split("\n")), lines=True)))
        return value if chance < 0.6 else self.value(2)

    def edited_list(self, items: list[JSON], *, lines: bool = False) -> list[JSON]:
        result = [item for item in items if not self.chance(0.15)]
        if not lines:
            result = [self.edited(item) if self.chance(0.2) else item for item in result]
        if self.chance(0.3):
            known = {cast("Any", item).get("id") for item in items if isinstance(item, dict)}
            fresh: JSON = self.pick.choice("pqr")
            if known and not lines and (key := self.pick.choice("789")) not in known:
                fresh = {"id": key, "n": 1}
            result.insert(self.pick.randrange(len(result) + 1), fresh)
        if len(result) > 1 and self.chance(0.15):
            result.insert(self.pick.randrange(len(result)), result.pop(self.pick.randrange(len(result))))
        return copy.deepcopy(result)

    def chance(self, part: float) -> bool:
        return self.pick.random() < part

    # Epics

    def core(self) -> Core:
        fields: dict[str, Callable[[], JSON]] = {
            "name": self.text,
            "summary": self.text,
            "tdd_enabled": lambda: self.chance(0.5),
            "goals": lambda: [self.pick.choice("abcdefg") for _ in range(self.pick.randrange(6))],
            "labels": self.labels,
            "quality_gates": self.value,
            "automation_hooks": lambda: self.members(0),
        }
        core = {name: make() for name, make in fields.items() if self.chance(0.7)}
        keys = self.pick.sample(["1", "2", "3", "a/b", "~", "10"], self.pick.randrange(5))
        if keys:
            core["tasks"] = [self.task(key) for key in keys]
        return core

    def task(self, key: str) -> Core:
        fields: dict[str, Callable[[], JSON]] = {
            "title": lambda: f"title {key} {self.pick.randrange(3)}",
            "description": self.text,
            "story_points": lambda: self.pick.choice([1, 2, 3.0]),
            "acceptance_criteria": lambda: [self.pick.choice("abcd") for _ in range(self.pick.randrange(4))],
            "priority_tags": self.labels,
            "dependencies": lambda: cast("JSON", sorted(self.pick.sample(["1", "2", "3", "10"], 2))),
        }
        return {"id": key, **{name: make() for name, make in fields.items() if self.chance(0.6)}}

    def with_extras(self, core: Core) -> Core:
        """The same with keys that no column has, changed here and there."""
        result = copy.deepcopy(core)
        for item in (result, *tasks_of(result)):
            for name in EXTRAS:
                if self.chance(0.4):
                    item[name] = self.edited(item[name]) if name in item else self.value(1)
                    if item[name] is None:
                        del item[name]
        return result

    def labels(self) -> JSON:
        return cast("JSON", self.pick.sample("abcde", self.pick.randrange(4)))

    def edited_core(self, core: Core) -> Core:
        other = self.core()
        result: Core = {}
        for name in {**core, **other}:
            if name == "tasks":
                continue
            if name in core and not self.chance(0.1):
                result[name] = core[name] if self.chance(0.6) else self.fitting(name, core[name], other)
            elif name in other and self.chance(0.2):
                result[name] = other[name]
        tasks = [
            task if self.chance(0.5) else {**task, **self.task(cast("str", task["id"]))}
            for task in tasks_of(core)
            if not self.chance(0.15)
        ]
        known = {task["id"] for task in tasks_of(core)}
        tasks += [task for task in tasks_of(other) if task["id"] not in known and self.chance(0.3)]
        if len(tasks) > 1 and self.chance(0.3):
            tasks.insert(self.pick.randrange(len(tasks)), tasks.pop(self.pick.randrange(len(tasks))))
        if tasks:
            result["tasks"] = cast("JSON", tasks)
        return copy.deepcopy(result)

    def fitting(self, name: str, value: JSON, other: Core) -> JSON:
        """An edit that the field's column can hold."""
        if name in ("quality_gates", "automation_hooks"):
            return self.edited(value)
        if name == "goals" or (isinstance(value, str) and "\n" in value):
            edited = self.edited_list(
                cast("list[JSON]", value if isinstance(value, list) else value.split("\n")), lines=True
            )
            return edited if name == "goals" else "\n".join(cast("list[str]", edited))
        return other.get(name, value)


class SetMaker:
    """Makes sets of epics, and what somebody makes of them: tasks move, get other ids, come, go, and change.

    Each task says which it is in its title and keeps that, so that it can be followed wherever it goes.
    """

    def __init__(self, maker: Maker) -> None:
        self.maker = maker

    def base(self) -> State:
        base = {name: self.epic() for name in "ABC"}
        keys = [f"{name}.{number}" for name, core in base.items() for number in range(len(tasks_of(core)))]
        for name, core in base.items():
            for number, task in enumerate(tasks_of(core)):
                self.marked(task, f"{name}.{number}", keys)
        return base

    def epic(self) -> Core:
        """An epic with little but tasks: what its own fields do, other triples try."""
        core: Core = {"name": self.maker.pick.choice(WORDS)}
        count = self.maker.pick.randrange(4)
        return {**core, "tasks": [self.task() for _ in range(count)]} if count else core

    def task(self) -> Core:
        fields = self.maker.task("")
        kept = ("id", "description", "story_points", "priority_tags", "dependencies")
        return {name: fields[name] for name in kept if name in fields}

    def marked(self, task: Core, key: str, keys: list[str]) -> None:
        """Give a task its id, its mark, and others that it depends on."""
        task.update(id=key, title=f"task {key}")
        if "description" in task:
            task["description"] = f"{key}\n{task['description']}"
        if "dependencies" in task:
            others = [other for other in keys if other != key]
            links = self.maker.pick.sample(others, min(2, len(others)))
            task.update(dependencies=cast("JSON", sorted(links)))
            if not links:
                del task["dependencies"]

    def edited(self, base: State, side: str) -> State:
        maker = self.maker
        state = copy.deepcopy(base)
        if maker.chance(0.1):
            state["D"] = {"name": side}
        for name in "ABC":
            tasks = tasks_of(state[name])
            for task in list(tasks):
                if not any(found is task for found in tasks) or cast("str", task["id"])[0] != name:
                    continue
                chance = maker.pick.random()
                if chance < 0.2:
                    tasks.remove(task)
                    target = state[maker.pick.choice(sorted(state.keys() - {name}))]
                    there = cast("list[JSON]", target.setdefault("tasks", []))
                    there.insert(maker.pick.randrange(len(there) + 1), cast("JSON", task))
                elif chance < 0.35:
                    self.rename(state, cast("str", task["id"]), f"{task['id']}{maker.pick.choice('xy')}")
                elif chance < 0.45:
                    tasks.remove(task)
                    self.rename(state, cast("str", task["id"]), None)
                elif chance < 0.7:
                    fields = self.task()
                    task.update({k: v for k, v in fields.items() if k in ("story_points", "priority_tags")})
            if maker.chance(0.2):
                new = self.task()
                self.marked(new, f"{name}.{side}", [])
                cast("list[JSON]", state[name].setdefault("tasks", [])).append(cast("JSON", new))
        for core in state.values():
            if not core.get("tasks"):
                core.pop("tasks", None)
        return {name: core for name, core in state.items() if not maker.chance(0.05)}

    @staticmethod
    def rename(state: State, old: str, new: str | None) -> None:
        """Let everything that depends on a task depend on it by another id, or no longer."""
        for core in state.values():
            for task in tasks_of(core):
                if task["id"] == old and new is not None:
                    task["id"] = new
                links = cast("list[str]", task.get("dependencies") or [])
                if old in links:
                    named = sorted({*links, new or old} - {old})
                    task["dependencies"] = cast("JSON", named)
                    if not named:
                        del task["dependencies"]


class Broken(AssertionError):
    """A law does not hold."""


def require(condition: object, law: str) -> None:
    if not condition:
        raise Broken(law)
