"""Imports msgspec at a lower price, for commands whose start is most of their work."""

from __future__ import annotations

import os
import sys
from types import ModuleType

TYPE_CHECKING = False  # not that of typing, which importing this module alone must not cost
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_UNUSED = {
    "msgspec.inspect": (),
    "msgspec._json_schema": ("schema", "schema_components"),
    "msgspec.toml": (),
    "msgspec.yaml": (),
}
"""The parts of msgspec that it imports and that nothing here uses, with the functions that it takes from them."""


def import_msgspec() -> None:
    """Import msgspec without the modules that it imports and hardly any program uses.

    It tries ``typing_extensions`` first, for names that ``typing`` has since Python 3.11. That module imports
    ``inspect`` with all its imports: 9 ms, a quarter of what msgspec takes. JSON Schema, with ``textwrap`` and its
    patterns, and the description of types take 2 ms more, TOML and YAML 0.3 ms. A program that uses any of these
    modules still gets it.
    """
    if "msgspec" in sys.modules or "typing_extensions" in sys.modules:
        return
    _import_uuid()
    sys.modules["typing_extensions"] = None  # type: ignore[assignment]  # how Python spells "cannot be imported"
    for name, functions in _UNUSED.items():
        sys.modules[name] = _Later(name, functions)
    try:
        import msgspec  # noqa: F401
    finally:
        del sys.modules["typing_extensions"]
        for name in _UNUSED:
            sys.modules.pop(name, None)


class _Later(ModuleType):
    """A stand-in for a module until something of the module is used.

    Args:
        name: the module's name.
        functions: the functions that can be taken from the stand-in without importing the module.
    """

    def __init__(self, name: str, functions: tuple[str, ...]) -> None:
        super().__init__(name)
        for function in functions:
            setattr(self, function, self._calling(function))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # the import system asks every module for such names
            raise AttributeError(name)
        from importlib import import_module

        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(import_module(self.__name__), name)

    def _calling(self, function: str) -> Callable[..., Any]:
        return lambda *arguments, **options: self.__getattr__(function)(*arguments, **options)


def _import_uuid() -> None:
    """Import ``uuid``, which msgspec needs, without ``platform``.

    Up to Python 3.12 ``uuid`` asks ``platform`` for the system. That module compiles nine patterns, which takes 1.4 ms.
    A program that imports it later gets it.
    """
    if "uuid" in sys.modules or "platform" in sys.modules or not hasattr(os, "uname"):
        return
    stand_in = ModuleType("platform")
    stand_in.system = lambda: os.uname().sysname  # type: ignore[attr-defined]  # the only function that uuid calls
    sys.modules["platform"] = stand_in
    try:
        import uuid  # noqa: F401
    except AttributeError:
        pass  # this version of uuid calls more: msgspec then imports it with platform
    finally:
        del sys.modules["platform"]
