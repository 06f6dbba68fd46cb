"""Checks the graph of tasks and their dependencies, which a merge may break without any field in conflict.

A merge of two faultless states can have a cycle of dependencies, a dependency on a task that is gone, or one task id in
two epics. :func:`check` finds such faults in the merged state, and tells of each whether some input already had it. The
merge made only those faults that no input had.

A dependency names a task by its id: that of its own epic, where there is one, else any epic's. Only epics that can be
part of a fault of the merge are read: those in which the merged state differs from each input, and those that can be
reached from there. The caller gives a :class:`Graph`, which knows how epics are stored.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Final, Protocol, TypeAlias

from msgspec import Struct

from epicvc.errors import BrokenGraph
from epicvc.model.labels import Label
from epicvc.model.mapping import Mapping as DocumentMapping

Node: TypeAlias = tuple[str, str]
"""A task: its epic and its id."""

Tell: TypeAlias = Callable[[Label, str], str]
"""Tells which edit of an input made a place so, where that input alone has the place as it is."""

_MANY: Final = 1000
"""The number of changed epics of one input beyond which only cycles that no input has are searched for."""

Edges: TypeAlias = "dict[Node, tuple[Node, ...]]"


class Graph(Protocol):
    """The tasks of one state of the document set."""

    def links(self, epic: str) -> Mapping[str, Collection[str]]:
        """Return the ids that each task of an epic depends on; empty where there is no such epic."""
        ...

    def owners(self, keys: Collection[str]) -> Mapping[str, Collection[str]]:
        """Return the epics that have a task of each id; ids that no epic has may be left out."""
        ...


class States(Protocol):
    """Several states of the document set, each of which has a number."""

    def links(self, epic: str) -> Sequence[Mapping[str, Collection[str]]]:
        """Return the links of an epic in each state, as :meth:`Graph.links` does in one."""
        ...

    def owners(self, keys: Collection[str]) -> Mapping[str, Collection[str]]:
        """Return the epics that may have a task of each id in some state."""
        ...


class StateGraph:
    """The graph of one of several states.

    Args:
        states: the states.
        number: the number of the state.
    """

    def __init__(self, states: States, number: int) -> None:
        self._states = states
        self._number = number

    def links(self, epic: str) -> Mapping[str, Collection[str]]:
        """Return the ids that each task of an epic depends on."""
        return self._states.links(epic)[self._number]

    def owners(self, keys: Collection[str]) -> Mapping[str, Collection[str]]:
        """Return the epics that have a task of each id."""
        found = self._states.owners(keys)
        return {key: [epic for epic in sorted(epics) if key in self.links(epic)] for key, epics in found.items()}


class FaultKind(StrEnum):
    """The kind of a fault."""

    CYCLE = "dependency_cycle"
    DANGLING = "dangling_dependency"
    DUPLICATE = "duplicate_task"


class GraphFault(Struct, frozen=True):
    """A fault in the graph of tasks.

    Attributes:
        kind: the kind of the fault.
        labels: the places that make the fault; for a cycle one after the other.
        origins: for each place, the inputs that have it as it is; for a task that is gone, those that lack it.
        missing: the task that a dangling dependency names.
        known: whether some input has the same fault.
    """

    kind: FaultKind
    labels: tuple[Label, ...]
    origins: tuple[tuple[str, ...], ...]
    missing: str = ""
    known: bool = False

    def __str__(self) -> str:
        return self.told(lambda _, name: name)

    def told(self, tell: Tell) -> str:
        """Return the fault in words, each place with the inputs or the edit that it comes from.

        Args:
            tell: is called for places that one input alone has so; a place that several inputs have was not made by one
                edit.
        """
        places = [
            f"{label} ({self._whence(tell, label, names)})" if names else str(label)
            for label, names in zip(self.labels, self.origins, strict=True)
        ]
        if self.kind is FaultKind.CYCLE:
            return f"tasks depend on each other in a circle: {' -> '.join(places)}"
        if self.kind is FaultKind.DANGLING:
            return f"{places[0]} depends on task {self.missing}, which is gone: {places[1]}"
        return f"one task id in more than one epic: {', '.join(places)}"

    def _whence(self, tell: Tell, label: Label, names: tuple[str, ...]) -> str:
        text = tell(label, names[0]) if len(names) == 1 else " and ".join(names)
        return f"not in {text}" if label == self.labels[-1] and self.kind is FaultKind.DANGLING else text


def require_no_new(faults: Collection[GraphFault], tell: Tell) -> None:
    """Make sure that some input has each fault already.

    Args:
        faults: the faults of a merged state.
        tell: names the edit that gave a place its value.

    Raises:
        BrokenGraph: the merged state has faults that no input has.
    """
    new = [fault for fault in faults if not fault.known]
    if new:
        raise BrokenGraph([fault.told(tell) for fault in new])


def check(
    after: Graph, inputs: Mapping[str, Graph], changed: Mapping[str, Collection[str]], gone: Collection[str], field: str
) -> list[GraphFault]:
    """Return the faults of a merged state for which at least one input is not to blame.

    Args:
        after: the merged state.
        inputs: the merged inputs, by name.
        changed: for each input, the epics whose links are others in the merged state.
        gone: ids of tasks that an input has in an epic where the merged state has none.
        field: the field that holds the dependencies, for labels.

    Returns:
        The faults, each once; those that an input had are marked as known.
    """
    if not all(changed[name] for name in inputs):
        return []  # the merged state is one of the inputs, as far as links go
    found = [*_dangling(after, inputs, changed, frozenset(gone), field), *_cycles(after, inputs, changed, field)]
    return sorted(found, key=lambda fault: (fault.kind, fault.labels))


def duplicates(after: Graph, inputs: Mapping[str, Graph], keys: Collection[str]) -> list[GraphFault]:
    """Return the ids that several epics have, for document sets in which an id must be unique.

    Args:
        after: the merged state.
        inputs: the merged inputs, by name.
        keys: ids of tasks that the merge added somewhere.
    """
    faults = []
    owned = {name: graph.owners(keys) for name, graph in inputs.items()}
    for key, epics in sorted(after.owners(keys).items()):
        if len(epics) > 1:
            origins = [tuple(name for name in inputs if epic in owned[name].get(key, ())) for epic in sorted(epics)]
            labels = tuple(_task((epic, key)) for epic in sorted(epics))
            known = any(len(owned[name].get(key, ())) > 1 for name in inputs)
            faults.append(GraphFault(FaultKind.DUPLICATE, labels, tuple(origins), known=known))
    return faults


def _task(node: Node) -> Label:
    return Label(node[0], (DocumentMapping.TASKS, node[1]))


# Dependencies on what is gone


def _dangling(
    after: Graph, inputs: Mapping[str, Graph], changed: Mapping[str, Collection[str]], gone: frozenset[str], field: str
) -> Iterator[GraphFault]:
    if not gone:
        return
    epics = sorted({epic for name in inputs for epic in changed[name]})
    wanted = [
        (epic, task, key)
        for epic in epics
        for task, keys in after.links(epic).items()
        for key in keys
        if key in gone and key not in after.links(epic)
    ]
    names = {key for _, _, key in wanted}
    if not names:
        return
    owned = after.owners(names)
    before = {name: graph.owners(names) for name, graph in inputs.items()}
    for epic, task, key in wanted:
        if owned.get(key):
            continue
        having = tuple(name for name, graph in inputs.items() if key in graph.links(epic).get(task, ()))
        known = any(not before[name].get(key) for name in having)
        place = next((e for name in inputs for e in sorted(before[name].get(key, ()))), epic)
        missing = tuple(name for name in inputs if not before[name].get(key))
        yield GraphFault(
            FaultKind.DANGLING, (_task((epic, task)).child(field), _task((place, key))), (having, missing), key, known
        )


# Cycles


def _cycles(
    after: Graph, inputs: Mapping[str, Graph], changed: Mapping[str, Collection[str]], field: str
) -> Iterator[GraphFault]:
    """Yield the cycles of the merged state.

    A cycle that no input has has a link that one of them lacks, so the search starts at such links. The links that the
    input with the fewest changes lacks would do. Starting from the others too finds cycles that an input had. These
    deserve a warning only, so the search for them is left out where it would be dear.
    """
    fewest = min(len(changed[name]) for name in inputs)
    starts: list[tuple[Node, Node]] = []
    for name, graph in inputs.items():
        if len(changed[name]) <= max(fewest, _MANY):
            fresh = {
                (epic, task): [key for key in keys if key not in graph.links(epic).get(task, ())]
                for epic in sorted(changed[name])
                for task, keys in after.links(epic).items()
            }
            starts += [(node, target) for node, found in _resolve(after, fresh).items() for target in found]
    edges = _reachable(after, [target for _, target in starts])

    def lacking(node: Node, target: Node) -> frozenset[str]:
        """Return the inputs without a link."""
        return frozenset(
            name for name, graph in inputs.items() if target[1] not in graph.links(node[0]).get(node[1], ())
        )

    seen: set[frozenset[Node]] = set()
    for node, target in starts:
        # A cycle that no input has, if there is one; else one that some input has already.
        path = _shortest(edges, target, node, lacking=lacking, lacked=lacking(node, target), wanted=frozenset(inputs))
        if path is None or len(set(path)) < len(path):
            path = _shortest(edges, target, node, lacking=lacking, lacked=frozenset(), wanted=frozenset())
        if path is not None and frozenset(path) not in seen:
            seen.add(frozenset(path))
            yield _cycle(path, inputs, field)


def _cycle(path: list[Node], inputs: Mapping[str, Graph], field: str) -> GraphFault:
    """Return the fault of a cycle, given as the tasks on it; the last depends on the first."""
    first = path.index(min(path))
    circle = [*path[first:], *path[:first]]
    origins = [
        tuple(name for name, graph in inputs.items() if following[1] in graph.links(epic).get(task, ()))
        for (epic, task), following in zip(circle, [*circle[1:], circle[0]], strict=True)
    ]
    known = any(all(name in having for having in origins) for name in inputs)
    return GraphFault(FaultKind.CYCLE, tuple(_task(node).child(field) for node in circle), tuple(origins), known=known)


def _reachable(graph: Graph, starts: Iterable[Node]) -> Edges:
    """Return the links of all tasks that can be reached, read wave by wave."""
    edges: Edges = {}
    wave = list(dict.fromkeys(starts))
    while wave:
        found = _resolve(graph, {node: list(graph.links(node[0]).get(node[1], ())) for node in wave})
        edges.update(found)
        wave = list(dict.fromkeys(target for targets in found.values() for target in targets if target not in edges))
    return edges


def _resolve(graph: Graph, wanted: Mapping[Node, Collection[str]]) -> Edges:
    """Return the tasks that ids stand for: those of their own epic, else those of any epic."""
    foreign = {key for (epic, _), keys in wanted.items() for key in keys if key not in graph.links(epic)}
    owners = graph.owners(foreign) if foreign else {}
    return {
        node: tuple(
            (epic, key)
            for key in sorted(keys)
            for epic in ([node[0]] if key in graph.links(node[0]) else sorted(owners.get(key, ())))
        )
        for node, keys in wanted.items()
    }


def _shortest(
    edges: Edges,
    start: Node,
    goal: Node,
    lacking: Callable[[Node, Node], frozenset[str]],
    lacked: frozenset[str],
    wanted: frozenset[str],
) -> list[Node] | None:
    """Return a shortest path, both ends included, on which each of the wanted inputs lacks a link.

    The inputs in ``lacked`` need lack none on it. Returns ``None`` where there is no such path.
    """
    first = (start, lacked & wanted)
    before: dict[tuple[Node, frozenset[str]], tuple[Node, frozenset[str]] | None] = {first: None}
    queue = deque([first])
    while queue:
        place = queue.popleft()
        node, met = place
        if node == goal and met == wanted:
            path = []
            step: tuple[Node, frozenset[str]] | None = place
            while step is not None:
                path.append(step[0])
                step = before[step]
            return path[::-1]
        for target in edges.get(node, ()):
            following = (target, met | (lacking(node, target) & wanted))
            if following not in before:
                before[following] = place
                queue.append(following)
    return None
