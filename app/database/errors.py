"""What can go wrong with a statement, apart from the driver's many ways to say it."""


class DatabaseError(Exception):
    """The server refused a statement."""

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


class DatabaseUnavailableError(Exception):
    """The server cannot be reached, is going down, or no longer takes writes."""


class DatabaseMissingError(DatabaseUnavailableError):
    """The server answers, but has no database of that name."""


class PoolExhaustedError(DatabaseUnavailableError):
    """Every connection stayed in use until the deadline."""


class QueryTimeoutError(DatabaseUnavailableError):
    """A statement ran into its deadline and was cancelled."""
