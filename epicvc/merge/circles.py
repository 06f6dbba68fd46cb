"""The circles in which tasks of one state depend on each other. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator, Mapping

from epicvc.merge.graph import Node


def circles(edges: Mapping[Node, Collection[Node]]) -> Iterator[list[Node]]:
    """Yield one circle of each group of tasks that depend on each other. Each begins with its first task.

    Args:
        edges: the tasks that each task depends on; tasks that depend on none may be left out.
    """
    for group in _groups(edges):
        circle = _back_to(min(group), edges, group)
        if circle is not None:
            yield circle


def _back_to(first: Node, edges: Mapping[Node, Collection[Node]], group: Collection[Node]) -> list[Node] | None:
    """Return a shortest way from a task back to itself; ``None`` where there is none."""
    before: dict[Node, Node] = {}
    queue = deque([first])
    while queue:
        node = queue.popleft()
        for target in edges.get(node, ()):
            if target == first:
                way = [node]
                while way[-1] != first:
                    way.append(before[way[-1]])
                return way[::-1]
            if target in group and target not in before:
                before[target] = node
                queue.append(target)
    return None


def _groups(edges: Mapping[Node, Collection[Node]]) -> Iterator[set[Node]]:
    """Yield the strongly connected components.

    The algorithm is Tarjan's, without recursion, since chains of tasks are as long as plans.
    """
    numbers: dict[Node, int] = {}
    lowest: dict[Node, int] = {}
    open_nodes: dict[Node, None] = {}
    for root in edges:
        if root in numbers:
            continue
        walk = [(root, iter(edges.get(root, ())))]
        numbers[root] = lowest[root] = len(numbers)
        open_nodes[root] = None
        while walk:
            node, targets = walk[-1]
            for target in targets:
                if target not in numbers:
                    numbers[target] = lowest[target] = len(numbers)
                    open_nodes[target] = None
                    walk.append((target, iter(edges.get(target, ()))))
                    break
                if target in open_nodes:
                    lowest[node] = min(lowest[node], numbers[target])
            else:
                walk.pop()
                if walk:
                    lowest[walk[-1][0]] = min(lowest[walk[-1][0]], lowest[node])
                if lowest[node] == numbers[node]:
                    group = set()
                    while node not in group:
                        group.add(open_nodes.popitem()[0])
                    yield group
