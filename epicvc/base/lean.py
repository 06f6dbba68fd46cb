"""Importing msgspec at a lower price, for commands whose start is most of their work."""

from __future__ import annotations

import os
import sys
from types import ModuleType

TYPE_CHECKING = False  # not typing's: who imports msgspec has paid for it, who only asks for this module has not
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_UNUSED = {
    "msgspec.inspect": (),
    "msgspec._json_schema": ("schema", "schema_components"),
    "msgspec.toml": (),
    "msgspec.yaml": (),
}
"""Parts of msgspec that it imports and that nothing here uses, with the functions that it takes out of them."""


def import_msgspec() -> None:
    """Import msgspec without what it brings along and hardly anybody uses.

    It tries ``typing_extensions`` first, for names that ``typing`` has since Python 3.11; that one imports ``inspect``
    and all that goes with it: 9 ms, a quarter of what msgspec takes. JSON Schema, with ``textwrap`` and its patterns,
    and the description of types take 2 ms more, TOML and YAML 0.3 ms. Whoever asks for any of it gets it.
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
    """Stands for a module until something of it is used.

    Args:
        name: the module.
        functions: those of its functions that can be taken out of it without importing it.
    """

    def __init__(self, name: str, functions: tuple[str, ...]) -> None:
        super().__init__(name)
        for function in functions:
            setattr(self, function, self._calling(function))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # what importing asks of any module
            raise AttributeError(name)
        from importlib import import_module

        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(import_module(self.__name__), name)

    def _calling(self, function: str) -> Callable[..., Any]:
        return lambda *arguments, **options: self.__getattr__(function)(*arguments, **options)


def _import_uuid() -> None:
    """Import ``uuid``, which msgspec needs, without ``platform``, which it asks up to Python 3.12 for the system.

    That one compiles nine patterns, 1.4 ms. Whoever asks for it next gets it.
    """
    if "uuid" in sys.modules or "platform" in sys.modules or not hasattr(os, "uname"):
        return
    stand_in = ModuleType("platform")
    stand_in.system = lambda: os.uname().sysname  # type: ignore[attr-defined]  # all that is asked
    sys.modules["platform"] = stand_in
    try:
        import uuid  # noqa: F401
    except AttributeError:
        pass  # a version that asks for more: msgspec imports it as it is
    finally:
        del sys.modules["platform"]
