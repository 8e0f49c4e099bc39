"""Every exception of Gatepost that a caller may catch, as one tree.

    GatepostError
    ├── SettingsError                    a setting is missing or malformed
    ├── ListenError                      the service cannot listen on its address
    ├── DatabaseError
    │   ├── StatementError               the server refused a statement
    │   └── DatabaseUnavailableError     no server that takes statements answered in time
    │       ├── DatabaseMissingError     the server has no database of that name
    │       ├── PoolerError              a pooler is between that GATEPOST_POOLER does not name
    │       ├── StandbyError             only servers that take no writes answered
    │       ├── PoolExhaustedError       every connection stayed in use until the deadline
    │       └── QueryTimeoutError        a statement ran into its deadline
    ├── InlinedValueError                a statement holds a value in its text
    ├── RequestTooLargeError             a request body is longer than the limit
    ├── RestError                        the REST API refuses a request
    ├── AuthError                        the auth API refuses a request
    │   ├── BannedError                  … of a user who is banned
    │   ├── TooManyRequestsError         … because there were too many
    │   └── BusyError                    … because too many wait already
    ├── DbmateError                      dbmate failed
    ├── MigrationError                   a migration failed and was rolled back
    │   ├── MigrationFilesError          the files are not what db/migrations.lock vouches for
    │   └── MigrationLockedError         a lock was not to be had in time; nothing was changed
    ├── PurgeRunningError                another purge holds the lease
    ├── PurgeBlockedError                the purge cannot do its work on a table
    ├── NotFoundError                    what a command names is not there
    ├── AlreadyExistsError               what a command is to make is there already
    ├── LastAdministratorError           a command would leave no administrator
    └── EmbeddedPostgresError            the development server could not be started or stopped

``exit_code`` is what the command line ends with, ``advice`` what it adds to the text.
"""

from typing import ClassVar


class GatepostError(Exception):
    """The root: whatever Gatepost raises by itself."""

    exit_code: ClassVar[int] = 1
    advice: str = ""
    """What a person can do about it, where the text does not say so."""


class SettingsError(GatepostError):
    """A setting is missing or malformed; the text names it and never quotes a secret."""

    exit_code = 2


class ListenError(GatepostError):
    """The service cannot listen on its address."""


class DatabaseError(GatepostError):
    """A statement failed."""


class StatementError(DatabaseError):
    """The server refused a statement; the fields are those of its error message."""

    def __init__(
        self,
        sqlstate: str,
        message: str,
        details: str | None = None,
        hint: str | None = None,
        constraint: str | None = None,
    ) -> None:
        super().__init__(f"{sqlstate}: {message}")
        self.sqlstate = sqlstate
        self.message = message
        self.details = details
        self.hint = hint
        self.constraint = constraint

    @property
    def is_undefined_table(self) -> bool:
        """Whether migrations have not made a table that the statement names."""
        return self.sqlstate == "42P01"


class DatabaseUnavailableError(DatabaseError):
    """No server takes the statement now: unreachable, going down, read-only or in conflict."""

    def __init__(self, message: str = "", advice: str = "") -> None:
        super().__init__(message)
        self.advice = advice


class DatabaseMissingError(DatabaseUnavailableError):
    """The server answers, but has no database of that name."""


class PoolerError(DatabaseUnavailableError):
    """The pooler in front of the database is not the one that GATEPOST_POOLER names."""


class StandbyError(DatabaseUnavailableError):
    """Only servers that take no writes answered: what they say of a session may be out of date."""


class PoolExhaustedError(DatabaseUnavailableError):
    """Every connection stayed in use until the deadline."""


class QueryTimeoutError(DatabaseUnavailableError):
    """A statement ran into its deadline; whether the server has carried it out is not known."""


class InlinedValueError(GatepostError):
    """A statement holds a value in its text instead of a parameter."""


class RequestTooLargeError(GatepostError):
    """A request body is longer than ``limit`` bytes."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"the body is longer than {limit} bytes")
        self.limit = limit


class RestError(GatepostError):
    """The REST API refuses a request: ``{code, message, details, hint}`` and an HTTP status."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        details: str | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.details = details
        self.hint = hint


class AuthError(GatepostError):
    """The auth API refuses a request: an HTTP status and ``{code, message}``.

    Without ``message`` it is the one that belongs to ``code`` (app/auth/errors.py). With neither
    there is no body; ``bare`` leaves the content type out as well, as for an unknown path. ``hint``
    is what a developer can do about it.
    """

    def __init__(
        self,
        status: int,
        code: str | None = None,
        message: str | None = None,
        *,
        hint: str | None = None,
        bare: bool = False,
    ) -> None:
        super().__init__(code or message or str(status))
        self.status = status
        self.code = code
        self.message = message
        self.hint = hint
        self.bare = bare


class BannedError(AuthError):
    """No session begins for a user whom an administrator has banned."""

    def __init__(self) -> None:
        super().__init__(403, "BANNED_USER")


class TooManyRequestsError(AuthError):
    """One request too many; ``retry_after`` is in whole seconds."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(429, message="Too many requests. Please try again later.")
        self.retry_after = retry_after


class BusyError(AuthError):
    """Too many requests wait for the same work; ``retry_after`` is in whole seconds."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(503, message="Too many requests are waiting. Please try again later.")
        self.retry_after = retry_after


class DbmateError(GatepostError):
    """dbmate failed; the text is what it printed, without the database's password."""

    def __init__(self, message: str, sqlstate: str | None = None) -> None:
        super().__init__(message)
        self.sqlstate = sqlstate


class MigrationError(GatepostError):
    """A migration failed; what it began was rolled back."""

    exit_code = 5


class MigrationFilesError(MigrationError):
    """The migration files cannot be trusted; each line names a file and what is wrong with it."""

    exit_code = 3


class MigrationLockedError(MigrationError):
    """A lock was not to be had in time; nothing was changed, and a later attempt may succeed."""

    exit_code = 4


class PurgeRunningError(GatepostError):
    """Another purge is running, or took over after this one was stopped for long."""

    exit_code = 4


class PurgeBlockedError(GatepostError):
    """The purge cannot do its work on a table: it has rows that are not where it looks."""


class NotFoundError(GatepostError):
    """What a command names is not there."""

    exit_code = 8


class AlreadyExistsError(GatepostError):
    """What a command is to make is there already."""

    exit_code = 9


class LastAdministratorError(GatepostError):
    """Nobody else could make another administrator."""


class EmbeddedPostgresError(GatepostError):
    """The embedded PostgreSQL could not be created, started or stopped."""
