"""Traces by OpenTelemetry: a span for each request, and in it one for each of its statements.

Imported when GATEPOST_TRACING is on, with the packages of ``gatepost[otel]``. OpenTelemetry's own
variables say where the spans go (OTEL_EXPORTER_OTLP_ENDPOINT, …) and how many. No span holds a
query string, a value of a statement or the text of an error.
"""

import asyncio
import logging
from asyncio import Future
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import Context as Variables
from threading import Thread
from typing import Any, Final, TypeVar

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer, get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from starlette.middleware import Middleware
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .auth.context import PREFIX
from .auth.session_loader import SessionLoader, ShardLoader
from .database import Database, Transaction
from .redaction import safe_path
from .settings import Settings
from .sql import Statement
from .statements.sessions import SessionStatements, UserSession

Row = TypeVar("Row")
Result = TypeVar("Result")

_METHODS: Final = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
_CARRIED: Final = (b"traceparent", b"tracestate")
_STOP_TIMEOUT: Final = 2.0
"""Seconds to send the last spans; a collector that is down does not keep the process."""
_propagator: Final = TraceContextTextMapPropagator()


class Tracing:
    """The tracer of an application, and the parts of it that make spans."""

    def __init__(self) -> None:
        resource = Resource.create()
        if str(resource.attributes["service.name"]).startswith("unknown_service"):
            resource = resource.merge(Resource({"service.name": "gatepost"}))
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._tracer = self._provider.get_tracer("gatepost")

    def middleware(self) -> Middleware:
        return Middleware(TracingMiddleware, tracer=self._tracer)

    def database(self, settings: Settings) -> Database:
        return TracedDatabase(settings, self._tracer)

    def session_loader(
        self, database: Database, statements: SessionStatements, *, sharded: bool
    ) -> SessionLoader:
        loader = TracedShardLoader if sharded else TracedSessionLoader
        return loader(database, statements, self._tracer)

    @asynccontextmanager
    async def exporting(self) -> AsyncIterator[None]:
        """Send the spans, in a thread, while the block lasts."""
        # what the exporter has to say goes where the service's log goes
        logging.getLogger("opentelemetry").parent = logging.getLogger("gatepost")
        exporter = OTLPSpanExporter()
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        try:
            yield
        finally:
            stopping = Thread(target=self._provider.shutdown, daemon=True)
            stopping.start()
            await asyncio.to_thread(stopping.join, _STOP_TIMEOUT)
            exporter.shutdown()  # ends the wait before a further attempt
            await asyncio.to_thread(stopping.join, _STOP_TIMEOUT)


class TracingMiddleware:
    """A span for each request, a child of the caller's by its ``traceparent``. Pure ASGI."""

    def __init__(self, app: ASGIApp, *, tracer: Tracer) -> None:
        self.app = app
        self._tracer = tracer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        carrier = {
            name.decode(): value.decode("latin-1")
            for name, value in scope["headers"]
            if name in _CARRIED
        }
        method = scope["method"] if scope["method"] in _METHODS else "_OTHER"
        path = scope["path"]  # routing changes the scope
        attributes = {
            "http.request.method": method,
            "url.path": safe_path(path),
            "url.scheme": scope["scheme"],
            "network.protocol.version": scope["http_version"],
        }
        status = 0

        async def send_noting_the_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        with self._tracer.start_as_current_span(
            method,
            _propagator.extract(carrier, Context()),
            SpanKind.SERVER,
            attributes,
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                await self.app(scope, receive, send_noting_the_status)
            except Exception:
                status = status or 500  # of the response that Starlette makes of it
                raise
            finally:
                if (route := _route(scope, path)) is not None:
                    span.update_name(f"{method} {route}")
                    span.set_attribute("http.route", route)
                _describe(span, scope, status)


def _describe(span: Span, scope: Scope, status: int) -> None:
    """Add what is known at the end; ``status`` 0: the client went away before the response."""
    if request_id := scope.get("state", {}).get("request_id"):
        span.set_attribute("gatepost.request_id", request_id)
    if status:
        span.set_attribute("http.response.status_code", status)
    if status >= 500:
        span.set_attribute("error.type", str(status))
        span.set_status(Status(StatusCode.ERROR))


def _route(scope: Scope, path: str) -> str | None:
    """The template of the path that was matched; get-session is answered before the router."""
    route = scope.get("route")
    if isinstance(route, Route):
        return scope.get("root_path", "") + route.path
    return path if path == f"{PREFIX}/get-session" else None


class TracedDatabase(Database):
    """A span for each statement of a request, and for each transaction."""

    def __init__(self, settings: Settings, tracer: Tracer) -> None:
        super().__init__(settings)
        self._tracer = tracer

    async def _run(self, name: str, *arguments: Any, **options: Any) -> Any:
        with _statement_span(self._tracer, name):
            return await super()._run(name, *arguments, **options)

    async def transaction(
        self, name: str, work: Callable[[Transaction], Awaitable[Result]], **options: Any
    ) -> Result:
        def traced(transaction: Transaction) -> Awaitable[Result]:
            return work(TracedTransaction(transaction, self._tracer))

        return await super().transaction(name, traced, **options)


class TracedTransaction(Transaction):
    """A transaction with a span for each of its statements."""

    def __init__(self, transaction: Transaction, tracer: Tracer) -> None:
        self._transaction = transaction
        self._tracer = tracer

    async def fetch(self, statement: Statement[Row], *arguments: Any) -> list[Row]:
        with _statement_span(self._tracer, statement.name):
            return await self._transaction.fetch(statement, *arguments)

    async def fetchrow(self, statement: Statement[Row], *arguments: Any) -> Row | None:
        with _statement_span(self._tracer, statement.name):
            return await self._transaction.fetchrow(statement, *arguments)


class TracedSessionLoader(SessionLoader):
    """A span for each lookup, in its own request, however many share the query."""

    def __init__(self, database: Database, statements: SessionStatements, tracer: Tracer) -> None:
        super().__init__(database, statements)
        self._tracer = tracer

    def load(self, token: str) -> "Future[UserSession | None]":
        name = self._statement.name
        span = self._tracer.start_span(name, None, SpanKind.CLIENT, _attributes(name))
        found = super().load(token)

        def end(done: "Future[UserSession | None]") -> None:
            if not done.cancelled() and (error := done.exception()) is not None:
                _fail(span, error)
            span.end()

        found.add_done_callback(end)
        return found

    def _start_query(self) -> None:
        Variables().run(super()._start_query)  # it is the query of several requests


class TracedShardLoader(TracedSessionLoader, ShardLoader):
    """The same on a Citus cluster."""


@contextmanager
def _statement_span(tracer: Tracer, name: str) -> Iterator[None]:
    """A span as a child of the present one; outside of a request there is none."""
    if not get_current_span().get_span_context().is_valid:
        yield
        return
    with tracer.start_as_current_span(
        name,
        None,
        SpanKind.CLIENT,
        _attributes(name),
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        try:
            yield
        except BaseException as error:
            _fail(span, error)
            raise


def _attributes(name: str) -> dict[str, str]:
    return {"db.system.name": "postgresql", "db.query.summary": name}


def _fail(span: Span, error: BaseException) -> None:
    span.set_attribute("error.type", type(error).__name__)
    span.set_status(Status(StatusCode.ERROR))
