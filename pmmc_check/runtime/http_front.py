"""An HTTP front of a cluster: the key-value store for curl, any operation, how the nodes are doing, and metrics for Prometheus.

It is a client like any other. Whoever reaches it may use it, so it listens on loopback unless told otherwise, and refuses pages of other
sites that a browser shows (they send an `Origin`, or come under another host's name).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import time
from collections.abc import Awaitable, Callable, Mapping

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request as HttpRequest
from starlette.responses import PlainTextResponse, RedirectResponse
from starlette.responses import Response as HttpResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope
from starlette.types import Send as AsgiSend

from pmmc_check.errors import UsageError
from pmmc_check.runtime.client_session import Unanswered
from pmmc_check.runtime.cluster_page import ClusterPage, Statuses
from pmmc_check.runtime.machines import NO_VALUE, text_of, word_of
from pmmc_check.runtime.metrics import CONTENT_TYPE, Latencies, metrics_text
from pmmc_check.runtime.sessions import RefusedOperation
from pmmc_check.runtime.tcp import Address

_BODY_BYTES_MAX = 2**20
_HELP = """\
GET    /kv/KEY        the value, or 404
PUT    /kv/KEY        the body becomes the value; with If-Match: VALUE only if that is the value now, with If-None-Match: * only if there
                      is none; else 412
DELETE /kv/KEY        removes it; returns the value before, or 404
POST   /operation     the body is an operation of the cluster's state machine: of the store (--machine kv) put KEY VALUE, get KEY,
                      delete KEY, cas KEY OLD NEW; of the integer add 5, subtract 5, multiply 5, read
GET    /page/         how the cluster is doing, in a browser
GET    /status        how the nodes are doing
GET    /metrics       the same and more, for Prometheus
"""


class HttpFront:
    """`ask` has an operation performed and raises `Unanswered`; `statuses` asks all nodes; `faults` are those made on purpose so far."""

    def __init__(
        self,
        ask: Callable[[str], Awaitable[str]],
        statuses: Callable[[], Awaitable[Statuses]],
        faults: Callable[[], Mapping[str, int]] = dict,
    ) -> None:
        self._ask, self._statuses = ask, statuses
        self._latencies = Latencies()
        self._page = ClusterPage(statuses, faults, self._latencies)
        self._server: uvicorn.Server | None = None
        self._task: asyncio.Task[None] | None = None

    def open(self, at: Address) -> Address:
        """Listens, and answers from now on; returns where.

        Raises:
            UsageError: it cannot listen there.
        """
        try:
            family = socket.AF_INET6 if ":" in at[0] else socket.AF_INET
            listening = socket.create_server(at, family=family)
        except OSError as error:
            raise UsageError(
                f"--http {at[0]}:{at[1]}: cannot listen there: {error.strerror or error}; give another port, or 0 for any"
            ) from None
        config = uvicorn.Config(
            self.application(at[0]), log_level="error", access_log=False, server_header=False, lifespan="off", timeout_graceful_shutdown=1
        )
        self._server = uvicorn.Server(config)
        self._server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign,assignment]  # whoever runs the front hears them
        self._task = asyncio.get_running_loop().create_task(self._server.serve(sockets=[listening]))
        host, port = listening.getsockname()[:2]
        return host, port

    async def close(self) -> None:
        """Answers what was asked, and ends."""
        if self._server is not None and self._task is not None:
            self._server.should_exit = True
            await self._task

    def application(self, host: str) -> Starlette:
        """The application, to be reached as `host`."""
        routes = [
            Route("/", self._help),
            Route("/kv/{key:path}", self._key, methods=["GET", "PUT", "DELETE"]),
            Route("/operation", self._operation, methods=["POST"]),
            Route("/status", self._status),
            Route("/metrics", self._metrics),
            *self._page.routes(),
        ]
        told = dict.fromkeys((404, 405), _told)
        return Starlette(routes=routes, middleware=[Middleware(_NoOtherSites, host=host)], exception_handlers=told)

    async def _help(self, request: HttpRequest) -> HttpResponse:
        """For people with a browser the page, for all others what there is."""
        return RedirectResponse("/page/") if "text/html" in request.headers.get("accept", "") else PlainTextResponse(_HELP)

    async def _performed(self, operation: str) -> tuple[int, str]:
        """A status of HTTP and the result."""
        began = time.monotonic()
        try:
            result = await self._ask(operation)
        except RefusedOperation as error:
            return 400, str(error)
        except Unanswered as error:
            self._latencies.unanswered += 1
            return 504, str(error)
        self._latencies.took(time.monotonic() - began)
        return (400, result) if result.startswith("error: ") else (200, result)

    async def _key(self, request: HttpRequest) -> PlainTextResponse:
        key = request.path_params["key"]
        if not key:
            return PlainTextResponse("a key is missing: /kv/KEY\n", 404)
        if request.method == "PUT":
            return await self._put(word_of(key), request)
        status, result = await self._performed(f"{request.method.lower()} {word_of(key)}")
        if status == 200 and result == NO_VALUE:
            return PlainTextResponse(f"there is no {key}\n", 404)
        return PlainTextResponse(f"{text_of(result) if status == 200 else result}\n", status)

    async def _put(self, key: str, request: HttpRequest) -> PlainTextResponse:
        try:
            value = word_of(await _body(request))
        except ValueError as error:
            return PlainTextResponse(f"{error}\n", 413 if "long" in str(error) else 400)
        expected, absent = request.headers.get("if-match"), request.headers.get("if-none-match")
        if absent not in (None, "*") or expected == "*" or (absent and expected is not None):
            return PlainTextResponse("expected If-Match: VALUE, If-None-Match: *, or neither\n", 400)
        if expected is None and absent is None:
            status, result = await self._performed(f"put {key} {value}")
            return PlainTextResponse("ok\n" if status == 200 else f"{result}\n", status)
        old = NO_VALUE if expected is None else word_of(expected)
        status, result = await self._performed(f"cas {key} {old} {value}")
        if status == 200 and result != old:
            now = "there is none" if result == NO_VALUE else f"the value is {text_of(result)}"
            return PlainTextResponse(f"not changed: {now}\n", 412)
        return PlainTextResponse("ok\n" if status == 200 else f"{result}\n", status)

    async def _operation(self, request: HttpRequest) -> PlainTextResponse:
        try:
            operation = " ".join((await _body(request)).split())
        except ValueError as error:
            return PlainTextResponse(f"{error}\n", 413 if "long" in str(error) else 400)
        status, result = await self._performed(operation)
        return PlainTextResponse(f"{result}\n", status)

    async def _status(self, request: HttpRequest) -> PlainTextResponse:
        return PlainTextResponse(json.dumps(dict(await self._statuses())) + "\n", media_type="application/json")

    async def _metrics(self, request: HttpRequest) -> PlainTextResponse:
        return PlainTextResponse(metrics_text(await self._statuses(), self._latencies), media_type=CONTENT_TYPE)


async def _told(request: HttpRequest, error: Exception) -> PlainTextResponse:
    """What is not there, or not to be asked so."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    headers = error.headers if isinstance(error, HTTPException) else None
    return PlainTextResponse(f"no {request.method} {request.url.path} here; / lists all that there is\n", status, headers)


async def _body(request: HttpRequest) -> str:
    """The body as text. Raises `ValueError` with a sentence where it is too long, or no text."""
    found = bytearray()
    async for chunk in request.stream():
        found += chunk
        if len(found) > _BODY_BYTES_MAX:
            raise ValueError(f"the body is too long: at most {_BODY_BYTES_MAX} bytes")
    try:
        return found.decode()
    except UnicodeDecodeError:
        raise ValueError("the body is no text in UTF-8") from None


class _NoOtherSites:
    """Refuses what a page of another site asks for."""

    def __init__(self, app: ASGIApp, host: str) -> None:
        self.app = app
        self.names = {host, "localhost", "127.0.0.1", "[::1]"}
        self.everywhere = host in ("0.0.0.0", "::")

    async def __call__(self, scope: Scope, receive: Receive, send: AsgiSend) -> None:
        headers = dict(scope.get("headers", ()))
        name = headers.get(b"host", b"").decode("latin-1")
        name = name.rpartition(":")[0] if name.rpartition(":")[2].isdecimal() else name
        if b"origin" in headers or (name not in self.names and not self.everywhere):
            await PlainTextResponse("pages of other sites are not answered\n", 403)(scope, receive, send)
        else:
            await self.app(scope, receive, send)
