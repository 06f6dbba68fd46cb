"""The one hierarchy of errors that a user can act on.

Every error carries its facts as attributes and renders its message from them. A bug is not an ``EpicvcError``: it
propagates, and the edge of the command line turns it into exit code 70.

The branch below ``EpicvcError`` decides the exit code (``docs/commands.md``, "Exit codes"); leaf classes add facts.
"""

from __future__ import annotations

TYPE_CHECKING = False  # typing's own is not used: importing typing takes half as long as starting an interpreter
if TYPE_CHECKING:
    from typing import ClassVar


class EpicvcError(Exception):
    """Base of every error that a user can mend.

    Args:
        message: what happened and where, one sentence without a full stop.
        hint: what to do next, one sentence; shown on its own line.
    """

    exit_code: ClassVar[int] = 70
    kind: ClassVar[str] = "error"

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(EpicvcError):
    """A command line or call that makes no sense."""

    exit_code = 2
    kind = "usage"


class InvalidQuery(UsageError):
    """A part from which no statement can be built."""

    kind = "invalid_query"


class NotFound(EpicvcError):
    """A repo, revision, epic, label or remote that does not exist."""

    exit_code = 3
    kind = "not_found"


class InvalidData(EpicvcError):
    """Data that cannot be accepted as it is: files, configuration, rows, objects, names."""

    exit_code = 4
    kind = "invalid_data"


class Refused(EpicvcError):
    """A refusal in order to protect data; a named flag or a repair lets the command go on."""

    exit_code = 5
    kind = "refused"


class LinkInTheWay(Refused):
    """A symbolic link in the place of a directory to write to. A clone may have brought it, and it may lead anywhere.

    Args:
        path: the link.
    """

    kind = "link_in_the_way"

    def __init__(self, path: str, *, hint: str | None = None) -> None:
        super().__init__(
            f"{path} is a symbolic link, which is not followed", hint=hint or "remove it, if it is not yours"
        )
        self.path = path


class NotAdopted(Refused):
    """A store that is not on the user's list of stores: it may have come with a clone, or is a copy.

    Args:
        root: the directory of the repo.
        copy_of: the repo that it is a copy of.
    """

    kind = "not_adopted"

    def __init__(self, root: str, copy_of: str | None = None) -> None:
        what = f"is a copy of the store in {copy_of}" if copy_of else "is not on the list of your stores"
        hint = "if it is yours, run `epicvc adopt`; if a clone brought it, remove .epicvc/ and run `epicvc init`"
        super().__init__(f"{root}/.epicvc {what}", hint=hint)
        self.root, self.copy_of = root, copy_of


class OtherMapping(Refused):
    """A mapping other than the one that both sides agreed under, which by itself would change agreed values.

    Args:
        labels: the labels that it would change.
    """

    kind = "other_mapping"

    def __init__(self, labels: list[str]) -> None:
        named = ", ".join(labels[:3]) + (f" and {len(labels) - 3} more" if len(labels) > 3 else "")
        super().__init__(
            f"the mapping is not the one that both sides agreed under; it alone would change {named}",
            hint="correct [mapping] in epicvc.toml, or mean it with --new-mapping",
        )
        self.labels = labels


class Unavailable(EpicvcError):
    """A database, disk or remote that cannot be used now."""

    exit_code = 6
    kind = "unavailable"


class InvalidJSON(InvalidData):
    """Text that is not strict, lossless JSON.

    Args:
        reason: the fault, for instance ``duplicate key "name"``.
        line: the line, from 1.
        column: the column, from 1, in characters.
        source: the file or column that the text came from; ``None`` until the caller knows it.
    """

    kind = "invalid_json"

    def __init__(self, reason: str, line: int, column: int, source: str | None = None) -> None:
        where = f"{source}:{line}:{column}" if source else f"line {line}, column {column}"
        super().__init__(f"{where}: {reason}", hint="correct the text; nothing was written")
        self.reason, self.line, self.column, self.source = reason, line, column, source

    def at(self, source: str) -> InvalidJSON:
        """Return the same error with the name of the file or column that holds the text."""
        return InvalidJSON(self.reason, self.line, self.column, source)


class InvalidFile(InvalidData):
    """A tracked file that is JSON but no epic.

    Args:
        path: the file, relative to the files directory.
        reason: the fault, naming the label where there is one.
        label: the faulty label; ``None`` for the file as a whole.
    """

    kind = "invalid_file"

    def __init__(self, path: str, reason: str, label: str | None = None) -> None:
        super().__init__(f"{path}: {reason}", hint="correct the file; nothing was written")
        self.path, self.reason, self.label = path, reason, label


class InvalidConfig(InvalidData):
    """An impossible setting in ``epicvc.toml`` or ``.epicvc/config``."""

    kind = "invalid_config"

    def __init__(self, path: str, reason: str, *, hint: str | None = None) -> None:
        super().__init__(f"{path}: {reason}", hint=hint)
        self.path, self.reason = path, reason


class InvalidRow(InvalidData):
    """A row with a value that cannot be a field's value, or that cannot be captured exactly.

    Args:
        table: the table.
        row: the name of the row, usually its key.
        column: the column, or ``None`` for the row as a whole.
        reason: the fault.
    """

    kind = "invalid_row"

    def __init__(self, table: str, row: str, column: str | None, reason: str, *, hint: str | None = None) -> None:
        where = f"@{table}/{row}" + (f"/{column}" if column else "")
        super().__init__(f"{where}: {reason}", hint=hint)
        self.table, self.row, self.column, self.reason = table, row, column, reason


class DamagedTable(InvalidData):
    """A table whose rows come twice, or not in the order of their keys: its database file is damaged.

    Args:
        table: the table.
    """

    kind = "damaged_table"

    def __init__(self, table: str) -> None:
        text = f"@{table}: its rows do not come in the order of their keys: the database is damaged"
        super().__init__(
            text, hint="restore it from a backup; `epicvc restore --at TIME --to DIR` writes what a commit has"
        )
        self.table = table


class InvalidField(InvalidData):
    """A field's value that does not fit the column or kind that the mapping gives the field.

    Args:
        label: for instance ``5:tasks/5.1a/estimate_minutes``.
        reason: the fault.
    """

    kind = "invalid_field"

    def __init__(self, label: str, reason: str, *, hint: str | None = None) -> None:
        super().__init__(f"{label}: {reason}", hint=hint or "correct the value; nothing was written")
        self.label, self.reason = label, reason


class UnsafeName(InvalidData):
    """A path that leaves the directory, is reserved somewhere, or collides on another operating system."""

    kind = "unsafe_name"

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"unsafe name {name!r}: {reason}", hint="rename it; nothing was written")
        self.name, self.reason = name, reason


class DamagedObject(InvalidData):
    """An object in the store that is missing or does not match its name.

    Args:
        object_id: hexadecimal id.
        reason: the finding of the verification.
    """

    kind = "damaged_object"

    def __init__(self, object_id: str, reason: str) -> None:
        super().__init__(
            f"object {object_id[:12]} is damaged: {reason}",
            hint="run `epicvc fsck`; fetch from a remote or restore .epicvc/ from a backup",
        )
        self.object_id, self.reason = object_id, reason


class DamagedBundle(InvalidData):
    """A file that is no bundle, or a damaged one.

    Attributes:
        path: the file.
        reason: the fault.
    """

    kind = "damaged_bundle"

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}", hint="use another bundle; `epicvc backup list --from DIR` lists them")
        self.path = path
        self.reason = reason


class DamagedStore(InvalidData):
    """A store file that cannot be read as one."""

    kind = "damaged_store"

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}", hint="restore .epicvc/ from a backup or clone it again")
        self.path, self.reason = path, reason


class NewerFormat(InvalidData):
    """Data written by a newer epicvc."""

    kind = "newer_format"

    def __init__(self, what: str, found: int, supported: int) -> None:
        super().__init__(f"{what} has format {found}; this epicvc reads up to {supported}", hint="upgrade epicvc")
        self.what, self.found, self.supported = what, found, supported


class UnsupportedSchema(InvalidData):
    """A part of the database that cannot be captured and restored exactly.

    Args:
        table: the table or other schema object.
        reason: the fault.
        ignore: the table or view to leave out so that this goes as well; itself, unless it belongs to one.
    """

    kind = "unsupported_schema"

    def __init__(self, table: str, reason: str, ignore: str | None = None) -> None:
        super().__init__(
            f"@{table}: {reason}",
            hint=f'leave it out of snapshots: [tables] ignore = ["{ignore or table}"] in epicvc.toml',
        )
        self.table, self.reason = table, reason


class UnknownOrder(InvalidData):
    """A table with an index whose order only the application knows.

    Args:
        table: the table.
        collation: the order.
    """

    kind = "unknown_order"

    def __init__(self, table: str, collation: str) -> None:
        super().__init__(
            f"@{table}: an index is in the order of the collation {collation}, which only the application knows",
            hint=f'epicvc can read it and not write it; to leave it out: [tables] ignore = ["{table}"] in epicvc.toml',
        )
        self.table, self.collation = table, collation


class ReservedName(InvalidData):
    """An object that hangs on a table of epicvc's own, or that has a name kept for such tables.

    Args:
        what: ``trigger``, ``view``, ``table`` or ``foreign key``.
        name: the object's name; for a foreign key the table that declares it.
        table: the table that the object is on or refers to; a view or table itself.
    """

    kind = "reserved_name"

    def __init__(self, what: str, name: str, table: str) -> None:
        quoted = '"' + name.replace('"', '""') + '"'
        hint = f"see who made it; epicvc writes nothing here before it is gone: DROP {what.upper()} {quoted}"
        if what == "foreign key":
            text = f"@{name}: a foreign key refers to {table}, a table of epicvc's own"
            hint = "see who made it; epicvc writes nothing here before the table is without it"
        elif what == "trigger" and table.lower().startswith("_epicvc_"):
            text = f"@{table}: trigger {name} is on a table of epicvc's own"
        elif what == "table":
            text = f"@{name}: this is not the table that epicvc makes under its own name"
        else:
            text = f"@{table}: {what} {name} has a name that is kept for epicvc"
        super().__init__(text, hint=hint)
        self.what, self.name, self.table = what, name, table


class NotADatabase(InvalidData):
    """A file that is named as the database and is none."""

    kind = "not_a_database"

    def __init__(self, database: str) -> None:
        super().__init__(f"{database} is not a database", hint="name the right file with --db or in epicvc.toml")
        self.database = database


class NoMappedTable(InvalidData):
    """A table that the mapping names and the database does not have."""

    kind = "no_mapped_table"

    def __init__(self, database: str, table: str, *, empty: bool = False) -> None:
        if empty:
            message = f"{database} is empty: it has no tables"
            hint = "bring it back with `epicvc rollback`, or have the application make its tables"
        else:
            message = f"{database} has no table {table}, which the mapping names"
            hint = "name the tables in [mapping] of epicvc.toml, or roll back if the table was dropped"
        super().__init__(message, hint=hint)
        self.database, self.table = database, table


class ConstraintBroken(InvalidData):
    """A constraint of the database that a push or a merge would break.

    Args:
        label: the field, task, epic or row that was being written.
        constraint: the database's own words.
        other: the place that stands in its way, where there is one: it has the unique value, refers, or is missing.
        origins: the edit that made the one place what it is, and the edit that made the other, in words.
        hint: the next step, where that is not to change a value.
    """

    kind = "constraint"

    def __init__(
        self,
        label: str,
        constraint: str,
        other: str | None = None,
        origins: tuple[str, str] | None = None,
        *,
        hint: str | None = None,
    ) -> None:
        places = [label] if other is None else [label, other]
        if origins is not None:
            places = [f"{place} ({origin})" for place, origin in zip(places, origins, strict=False)]
        super().__init__(
            f"{' and '.join(places)}: the database refuses it: {constraint}",
            hint=hint or "correct the value; nothing was written"
            if hint or other is None
            else "change one of these places, then run the command again; nothing was written",
        )
        self.label, self.constraint, self.other = label, constraint, other


class NotUnique(ConstraintBroken):
    """A value that must be unique and exists already.

    Args:
        table: the table; empty where the database only names an index.
        columns: the columns that must be unique together; empty where it is an expression.
    """

    def __init__(self, label: str, constraint: str, table: str, columns: tuple[str, ...]) -> None:
        super().__init__(label, constraint)
        self.table, self.columns = table, columns


class BrokenGraph(InvalidData):
    """A merge that would leave tasks depending on each other in a way that neither side has.

    Args:
        faults: the faults, each naming its labels and their origins.
    """

    kind = "broken_graph"

    def __init__(self, faults: list[str]) -> None:
        shown = "; ".join(faults[:5]) + (f"; and {len(faults) - 5} more" if len(faults) > 5 else "")
        super().__init__(
            f"each side is right by itself, together they are not: {shown}",
            hint="change one of these places on one side, then run the command again; nothing was written",
        )
        self.faults = faults


class DurationError(InvalidData):
    """A text that says no duration, or not only one.

    Args:
        text: the text.
        reason: the reason why it cannot be read.
        understood: the parts of the text that are a duration, or would be one with a number or a unit.
    """

    kind = "duration"

    def __init__(self, text: str, reason: str, understood: tuple[str, ...] = ()) -> None:
        shown = text if len(text) <= 80 else text[:79] + "…"
        parts = f"; understood: {', '.join(map(repr, understood))}" if understood else ""
        super().__init__(
            f"no duration in {shown!r}: {reason}{parts}",
            hint="write a number and a unit, for instance '2 semanas', '1.5 days' or '3-5 dias'",
        )
        self.text, self.reason, self.understood = text, reason, understood


class BeyondCalendar(DurationError):
    """Dates that the calendar does not cover: past the year 9999, or past the known holidays.

    Args:
        text: the duration, which could be read.
        error: the calendar's error.
    """

    kind = "calendar"

    def __init__(self, text: str, error: InvalidData) -> None:
        shown = text if len(text) <= 80 else text[:79] + "…"
        InvalidData.__init__(self, f"no dates for {shown!r}: {error.message}", hint=error.hint)
        self.text, self.reason, self.understood = text, error.message, (text,)


class DependencyCycle(InvalidData):
    """Tasks that need each other, so that none of them can begin.

    Args:
        labels: the tasks; each needs the next, and the last one the first.
    """

    kind = "dependency_cycle"

    def __init__(self, labels: list[str]) -> None:
        way = " needs ".join([*labels, labels[0]])
        super().__init__(f"tasks need each other: {way}", hint="take one of these dependencies away")
        self.labels = labels


class LossyField(InvalidData):
    """A value that the database does not return as it was pushed, so that the push was rolled back.

    Args:
        label: the field.
        wrote: the pushed value.
        read: the value that came back.
    """

    kind = "lossy_field"

    def __init__(self, label: str, wrote: str, read: str) -> None:
        super().__init__(
            f"{label}: the database gives back {read} for {wrote}; the push was rolled back",
            hint="the column cannot hold this value exactly, or a trigger changes it",
        )
        self.label, self.wrote, self.read = label, wrote, read


class RefMoved(Refused):
    """A ref that another process moved first (compare-and-swap failed)."""

    kind = "ref_moved"

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} was moved by another process", hint="run the command again")
        self.name = name


class ChangedSince(Refused):
    """A change since an operation, in a place that the command would put back.

    Args:
        doing: the command's action, in words.
        labels: the changed places, as labels or paths.
    """

    kind = "changed_since"

    def __init__(self, doing: str, labels: list[str]) -> None:
        shown = ", ".join(labels[:5]) + (f" and {len(labels) - 5} more" if len(labels) > 5 else "")
        super().__init__(f"cannot {doing}: changed since: {shown}", hint="commit or revert these changes first")
        self.labels = labels


class DatabaseLocked(Unavailable):
    """A database that another client has locked for longer than the timeout."""

    kind = "locked"

    def __init__(self, database: str, seconds: float) -> None:
        super().__init__(
            f"{database} is locked by another client (waited {seconds:g} s)", hint="try again when it is free"
        )
        self.database, self.seconds = database, seconds


class DatabaseUnavailable(Unavailable):
    """A database that cannot be opened, read or written.

    Args:
        database: path or redacted URL.
        reason: the system's own words.
    """

    kind = "database_unavailable"

    def __init__(self, database: str, reason: str, *, hint: str | None = None) -> None:
        super().__init__(f"{database}: {reason}", hint=hint)
        self.database, self.reason = database, reason


class Unfinished(Unavailable):
    """An operation that a failing disk allows neither to finish nor to undo.

    Args:
        reason: the failure.
    """

    kind = "unfinished"

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"{reason}; the operation is unfinished",
            hint="run it again once the disk works; what is left is finished or undone first",
        )
        self.reason = reason


class FileUnavailable(Unavailable):
    """A file that cannot be read or written: permission, full disk, read-only file system.

    Args:
        path: the file.
        reason: the system's own words.
    """

    kind = "file_unavailable"

    def __init__(self, path: str, reason: str, *, hint: str | None = None) -> None:
        super().__init__(f"{path}: {reason}", hint=hint)
        self.path, self.reason = path, reason


class FileTooLarge(FileUnavailable):
    """A file that is too large to be read. It counts as invalid data, since its content is at fault.

    Args:
        path: the file.
        size: its size in bytes.
        limit: the most bytes that it may have.
        raised_by: the setting of the limit, if the user may change it.
    """

    kind = "file_too_large"
    exit_code = InvalidData.exit_code

    def __init__(self, path: str, size: int, limit: int, raised_by: str | None = None) -> None:
        hint = f"nothing was written; make it smaller, move it away, or raise {raised_by}" if raised_by else None
        said = f"has {size:,} bytes, and {limit:,} are the most that is read"
        super().__init__(path, said, hint=hint or "nothing was written; make it smaller, or move it away")
        self.size, self.limit = size, limit


class QueryTooLong(InvalidData):
    """A statement that was ended because it took too long.

    Args:
        database: the database's name in messages.
        seconds: the most seconds that a statement may take.
        raised_by: the setting of that limit.
    """

    kind = "query_too_long"

    def __init__(self, database: str, seconds: float, raised_by: str) -> None:
        hint = f"see whether a view or trigger in it is without end; if it is only large, raise {raised_by}"
        super().__init__(f"{database}: a statement took more than {seconds:g} s and was ended", hint=hint)
        self.database, self.seconds = database, seconds


class InvalidMigration(InvalidData):
    """A migration that cannot be run as it is written, or a set of migrations that makes no sense.

    Args:
        where: the file, or the migration's name where it came from no file.
        reason: the fault.
        line: the line, from 1; ``None`` where the whole is at fault.
        more: the number of further problems of the set.
    """

    kind = "invalid_migration"

    def __init__(self, where: str, reason: str, line: int | None = None, *, more: int = 0) -> None:
        place = where if line is None else f"{where}:{line}"
        rest = f" (and {more} more; see `epicvc migrate status`)" if more else ""
        super().__init__(f"{place}: {reason}{rest}", hint="correct the migrations; nothing was applied")
        self.where, self.reason, self.line, self.more = where, reason, line, more


class MigrationFailed(InvalidData):
    """A statement of a migration that the database refused; the migration was rolled back as a whole.

    Args:
        where: the file, or the migration's name.
        line: the line on which the statement begins, from 1; ``None`` where no single statement is to blame.
        number: the number of the statement, from 1; 0 where no single one is to blame.
        total: the number of statements.
        statement: the text of the statement.
        reason: the database's own words.
        version: the version at which the database stays.
    """

    kind = "migration_failed"

    def __init__(
        self, where: str, line: int | None, number: int, total: int, statement: str, reason: str, version: str | None
    ) -> None:
        place = where if line is None else f"{where}:{line}"
        which = f"statement {number} of {total} failed: " if number else ""
        text = " ".join(statement.split())
        quoted = f": {text[:157] + '...' if len(text) > 160 else text}" if text else ""
        at = f"at version {version}" if version is not None else "without any migration"
        super().__init__(f"{place}: {which}{reason}{quoted}", hint=f"it was rolled back; the database stays {at}")
        self.where, self.line, self.number, self.total = where, line, number, total
        self.statement, self.reason, self.version = statement, reason, version


class NoMigrationHistory(Refused):
    """A database with tables but no record of migrations, so that applying them would fail half-way.

    Args:
        database: path or redacted URL.
        table: one of the tables.
        fits: the version up to which the migrations are in the database already; ``None`` for none of them.
    """

    kind = "no_migration_history"

    def __init__(self, database: str, table: str, fits: str | None) -> None:
        super().__init__(
            f"{database} has tables ({table}, for one) and no history of migrations",
            hint=f"adopt it as it is with `epicvc migrate baseline {fits or 'none'}`, then go on from there",
        )
        self.database, self.table, self.fits = database, table, fits


class BaselineDiffers(Refused):
    """A database that differs from the schema that the migrations up to a version would have made.

    Args:
        database: path or redacted URL.
        version: that version.
        missing: objects that the migrations make and the database does not have.
    """

    kind = "baseline_differs"

    def __init__(self, database: str, version: str, missing: list[str]) -> None:
        shown = "; ".join(missing[:5]) + (f"; and {len(missing) - 5} more" if len(missing) > 5 else "")
        super().__init__(
            f"{database} is not at version {version}: {shown}",
            hint="name an earlier version, or make what is missing first",
        )
        self.database, self.version, self.missing = database, version, missing
