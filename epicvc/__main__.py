"""The entry point. It answers commands that must start fast before the command line library is imported."""

from __future__ import annotations

import gc
import os
import sys

_COLLECT_EVERY = 100_000
"""The number of new containers between two searches for cycles.

Documents are large trees without cycles, and so are the objects that imports make. At the interpreter's default of 700,
a tenth of every command's time would go into searching them again and again.
"""


_GIT_GIVES_UP = 128
"""The highest exit code with which a merge driver leaves one path in conflict. Above it git ends the whole merge."""


def main() -> int:
    """Run the command line of this process.

    Returns:
        The exit code.
    """
    code, at = _main(), 1
    while sys.argv[at : at + 1] == ["-C"]:
        at += 2
    return min(code, _GIT_GIVES_UP) if sys.argv[at : at + 1] == ["merge-driver"] else code


def _main() -> int:
    from epicvc.cli import stdio

    stdio.begin()
    arguments = sys.argv[1:]
    if arguments == ["--version"]:
        from epicvc import __version__

        try:  # noqa: SIM105  (as in stdio)
            sys.stdout.write(f"epicvc {__version__}\n")
        except OSError:
            pass
        if (problem := stdio.flush()) is None:
            return 0
        from epicvc.cli.edge import unwritten

        return unwritten(problem, 0)
    gc.set_threshold(_COLLECT_EVERY)
    from epicvc.cli.edge import guarded, run_application, speak_safely
    from epicvc.cli.fast import fast_command

    command = fast_command(arguments)
    if command is not None:
        speak_safely()
        if "EPICVC_LOG" in os.environ:
            from epicvc.cli.log import logging_run  # imported here, since it imports logging

            command = logging_run(arguments[0], command)
        return guarded(command, arguments, as_json=False)
    return run_application(arguments)


def run() -> None:
    """Run the command line, and end the process."""
    code = main()
    gc.freeze()  # at its end the interpreter would search everything for cycles once more, which takes 5 to 10 ms
    sys.exit(code)


if __name__ == "__main__":
    run()
