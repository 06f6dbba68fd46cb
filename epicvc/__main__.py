"""The entry point. Answers the commands that must start fast before the command line library is imported."""

from __future__ import annotations

import sys


def main() -> int:
    """Run the command line of this process.

    Returns:
        The exit code.
    """
    arguments = sys.argv[1:]
    if arguments == ["--version"]:
        from epicvc import __version__

        sys.stdout.write(f"epicvc {__version__}\n")
        return 0
    from epicvc.cli.edge import guarded, run_application, speak_safely

    if arguments == ["status", "--porcelain"]:
        from epicvc.cli.porcelain import porcelain_status

        speak_safely()
        return guarded(porcelain_status, as_json=False)
    return run_application(arguments)


if __name__ == "__main__":
    sys.exit(main())
