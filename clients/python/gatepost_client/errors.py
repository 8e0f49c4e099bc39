"""What can go wrong. None of these means "signed out", which is the result None."""


class GatepostError(Exception):
    """The root of what this package raises."""


class UnavailableError(GatepostError):
    """It cannot be said now who this is: no connection, a timeout, 429 or 5xx. Try again."""

    def __init__(self, message: str, retry_after: int = 1) -> None:
        """``retry_after``: seconds, what the service asked for or 1."""
        super().__init__(message)
        self.retry_after = retry_after


class UnexpectedResponseError(GatepostError):
    """What answers at the address is not what it should be: a wrong address, a proxy's page."""


class OriginError(GatepostError):
    """A page of another site may have sent this request with the user's cookie: refuse it, 403."""
