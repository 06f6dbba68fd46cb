"""The edge: turns errors into exit codes and messages. It is the only place that catches everything.

Every command passes through here, also those that have to start fast. So modules that only a failure needs are imported
after one has happened.
"""

from __future__ import annotations

import os
import stat
import sys

from epicvc.base.limits import FILE_SIZE
from epicvc.cli import stdio

TYPE_CHECKING = False  # not that of typing, which takes 2 ms to import
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from epicvc.files.scan.early import EarlyLook

DONE, USAGE, UNAVAILABLE, BUG, INTERRUPTED = 0, 2, 6, 70, 130

_COMPLETION = "_EPICVC_COMPLETE"
"""The variable with which a shell asks the command line library for completions of a line."""


_PIPES = ("/dev/null", "/dev/stdin", "/dev/fd/", "/proc/self/fd/")
"""The paths that git and shells put in a file's place. Any other device or FIFO is not waited for."""


class Interrupted(Exception):  # not KeyboardInterrupt, which the command line library answers itself and silently
    """Raised where the person at the keyboard stopped the command."""


def guarded(run: Callable[[], int], words: Sequence[str], *, as_json: bool) -> int:
    """Run a command and turn any exception into an exit code and one short message.

    Args:
        run: the command.
        words: its command line.
        as_json: whether failures are reported to a program.
    """
    try:
        code = stdio.listening(run)
        problem = stdio.flush()
    except (KeyboardInterrupt, Interrupted):
        return _interrupted(as_json=as_json)
    except BrokenPipeError as error:
        code, problem = DONE, error
    except Exception as error:  # noqa: BLE001  # the edge: a bug must end in a message and exit code 70
        stdio.deafen()
        if stdio.pressed.once:  # something on the way turned the interrupt into another error
            return _interrupted(as_json=as_json)
        problem = stdio.flush() if isinstance(error, OSError) else None
        if problem is None:
            return _failed(error, words, as_json=as_json)
        code = DONE
    stdio.deafen()
    return code if problem is None else unwritten(problem, code)


def unwritten(problem: OSError, code: int) -> int:
    """Return the exit code of a command whose output could not be written.

    The command's work is done all the same.

    Args:
        problem: the error of the output.
        code: the exit code that the command had otherwise.
    """
    stdio.give_up_output()
    if isinstance(problem, BrokenPipeError):
        return code  # the reader of our output went away, as `head` does
    report("output", f"the output cannot be written: {problem.strerror}", None, UNAVAILABLE, as_json=False)
    return UNAVAILABLE


def _interrupted(*, as_json: bool) -> int:
    stdio.deafen()
    report("interrupted", "interrupted; nothing is half done", None, INTERRUPTED, as_json=as_json)
    return INTERRUPTED


def _failed(error: Exception, words: Sequence[str], *, as_json: bool) -> int:
    from epicvc.errors import EpicvcError

    if isinstance(error, EpicvcError):
        report(error.kind, error.message, error.hint, error.exit_code, as_json=as_json)
        return error.exit_code
    if os.environ.get("EPICVC_DEBUG") == "1":
        import traceback

        traceback.print_exception(error)
    from epicvc.cli.crash import save_report

    message, saved = f"internal error: {type(error).__name__}: {error}", save_report(error, words, dict(os.environ))
    if saved is None:
        hint = "please report it with the output of EPICVC_DEBUG=1"
    else:
        message, hint = f"{message}; see {saved}", "please report it with that file, which has no values of your plans"
    report("bug", message, hint, BUG, as_json=as_json)
    return BUG


def _speaks_utf8() -> bool:
    """Return whether JSON may be written as it is.

    To other streams it is written in ASCII, which has the same meaning.
    """
    return (sys.stdout.encoding or "utf-8").lower().replace("-", "") == "utf8"


def json_text(value: object, *, ascii_only: bool = False) -> str:
    """Return a JSON value on one line, without characters that could steer a terminal or mislead the eye."""
    import json

    text = json.dumps(value, ensure_ascii=ascii_only, default=str)
    if not text.isprintable():  # inside a text an escape has the same meaning
        text = "".join(char if char.isprintable() else json.dumps(char)[1:-1] for char in text)
    return text + "\n"


def write_json(value: object) -> None:
    """Write one JSON value to stdout."""
    sys.stdout.write(json_text(value, ascii_only=not _speaks_utf8()))


def read_bytes(path: str) -> bytes:
    """Read a file that the command line names.

    Raises:
        NotFound: the file does not exist.
        FileUnavailable: the file cannot be read, or has more bytes than any file may have.
    """
    try:
        with open(path, "rb", opener=None if path.startswith(_PIPES) else _regular) as file:
            size = os.fstat(file.fileno()).st_size
            if (most := FILE_SIZE.exceeded_by(size)) is not None:
                from epicvc.errors import FileTooLarge

                raise FileTooLarge(path, size, most, FILE_SIZE.variable)
            return file.read()
    except OSError as error:
        from epicvc.errors import FileUnavailable, NotFound

        if isinstance(error, FileNotFoundError):
            raise NotFound(f"{path} does not exist") from error
        raise FileUnavailable(path, error.strerror or str(error)) from error


def _regular(path: str, flags: int) -> int:
    descriptor = os.open(path, flags | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(0, "not a regular file")
    return descriptor


def write_bytes(data: bytes) -> None:
    """Write bytes to stdout as they are."""
    buffer = getattr(sys.stdout, "buffer", None)
    if buffer is None:  # a stand-in for stdout that takes text only
        sys.stdout.write(data.decode(errors="backslashreplace"))
        return
    sys.stdout.flush()
    try:
        buffer.write(data)
        buffer.flush()
    except OSError as error:
        stdio.lose(error)


def report(kind: str, message: str, hint: str | None, code: int, *, as_json: bool) -> None:
    """Report an error: to people on stderr, to programs on stdout."""
    from epicvc.ui.text import printable

    if as_json:
        try:
            write_json({"format": "epicvc.error/1", "error": kind, "message": message, "exit": code})
        except OSError:
            stdio.give_up_output()
        if stdio.flush() is not None:
            stdio.give_up_output()
        return
    sys.stderr.write(f"epicvc: {printable(message)}\n")
    if hint:
        sys.stderr.write(f"  hint: {printable(hint)}\n")


def speak_safely() -> None:
    """Escape characters that the terminal's encoding lacks, instead of stopping in the middle of a line."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)  # a stand-in for a stream may lack the method
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


def _misused(error: Exception, *, as_json: bool) -> int:
    """Report a mistake in a command line, in the form of every other error."""
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "epicvc"
    text = " ".join(error.format_message().split()).removesuffix(".")  # type: ignore[attr-defined]
    words = path.partition(" ")[2]
    message = f"{words}: {text[:1].lower()}{text[1:]}" if words else f"{text[:1].lower()}{text[1:]}"
    report("usage", message, f"see `{path} --help`", USAGE, as_json=as_json)
    return USAGE


def _is_text(argument: str) -> bool:
    return not any("\ud800" <= char <= "\udfff" for char in argument)


def run_application(arguments: Sequence[str]) -> int:
    """Run the full command line."""
    as_json = "--json" in arguments
    speak_safely()
    for argument in arguments:
        if not _is_text(argument):
            report("usage", f"{argument!r} is no text in this terminal's encoding", None, USAGE, as_json=as_json)
            return USAGE
    return guarded(lambda: _run(arguments, as_json=as_json), arguments, as_json=as_json)


def _run(arguments: Sequence[str], *, as_json: bool) -> int:
    from epicvc.cli.fast import early_look

    look = early_look(arguments)
    try:
        return _run_beside(look, arguments, as_json=as_json)
    finally:
        if look is not None:
            look.close()


def _run_beside(look: EarlyLook | None, arguments: Sequence[str], *, as_json: bool) -> int:
    from epicvc.cli.line.plain import read_plainly

    call = None if _COMPLETION in os.environ else read_plainly(arguments)
    if call is not None:
        return call.run(look)
    from epicvc.cli.line.app import ClickException, command_line

    try:
        result = command_line()(args=list(arguments), prog_name="epicvc", standalone_mode=False)
    except ClickException as error:
        if not arguments:  # without arguments the help is shown
            error.show()  # type: ignore[attr-defined]
            return USAGE
        return _misused(error, as_json=as_json)
    return result if isinstance(result, int) else DONE
