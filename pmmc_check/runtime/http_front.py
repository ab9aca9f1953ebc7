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
from ipaddress import ip_address
from typing import Any
from urllib.parse import unquote_to_bytes

import uvicorn
from starlette.applications import Starlette
from starlette.convertors import Convertor, register_url_convertor
from starlette.datastructures import Headers
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
from pmmc_check.runtime.metrics import CONTENT_TYPE, Latencies, metrics_text
from pmmc_check.runtime.operations import NO_VALUE, OPERATION_BYTES_MAX, text_of, why_no_operation, word_of
from pmmc_check.runtime.tcp import Address, host_in_url

_HELP = """\
GET    /kv/KEY     the value, as it was put; 404 where there is none
PUT    /kv/KEY     the body becomes the value
DELETE /kv/KEY     removes it; returns the value before, or 404
                   PUT and DELETE with If-Match: VALUE only if that is the
                   value now, PUT with If-None-Match: * only if there is none;
                   else 412
POST   /operation  the body is an operation of the cluster's state machine:
                   of the store (--machine kv) put KEY VALUE, get KEY,
                   delete KEY, cas KEY OLD NEW (- is "not there");
                   of the integer add 5, subtract 5, multiply 5, read
GET    /page/      how the cluster is doing, in a browser
GET    /status     how the nodes are doing
GET    /metrics    the same and more, for Prometheus

Keys and values are texts in UTF-8; in an operation spaces are %20. What is sent
has at most 1 MiB; in keys and values most signs that are no letter or digit of
ASCII count as three bytes each. Without an answer in time: 504.
"""
_CONDITIONS = ("if-match", "if-none-match", "if-modified-since", "if-unmodified-since", "if-range")
_UNDERSTOOD = {"PUT": ("if-match", "if-none-match"), "DELETE": ("if-match",)}


class _Refused(Exception):
    """What was asked makes no sense, or does not hold: the status to answer with, and why."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


class _AnyKey(Convertor[str]):
    """All that follows in a path, lines and slashes too."""

    regex = "(?s:.*)"

    def convert(self, value: str) -> str:
        """As it is."""
        return value

    def to_string(self, value: str) -> str:
        """As it is."""
        return value


register_url_convertor("any_key", _AnyKey())


class HttpFront:
    """`ask` has an operation of the state machine `machine` performed and raises `Unanswered`; `statuses` asks all nodes; `faults` are
    those made on purpose so far."""

    def __init__(
        self,
        ask: Callable[[str], Awaitable[str]],
        statuses: Callable[[], Awaitable[Statuses]],
        faults: Callable[[], Mapping[str, int]] = dict,
        machine: str = "kv",
    ) -> None:
        self._ask, self._statuses, self._machine = ask, statuses, machine
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
            Route("/kv/{key:any_key}", self._key, methods=["GET", "PUT", "DELETE"]),
            Route("/operation", self._operation, methods=["POST"]),
            Route("/status", self._status),
            Route("/metrics", self._metrics),
            *self._page.routes(),
        ]
        told: dict[Any, Any] = {404: _told, 405: _told, _Refused: _refused}
        return Starlette(routes=routes, middleware=[Middleware(_NoOtherSites, host=host)], exception_handlers=told)

    async def _help(self, request: HttpRequest) -> HttpResponse:
        """For people with a browser the page, for all others what there is."""
        return RedirectResponse("/page/") if "text/html" in request.headers.get("accept", "") else PlainTextResponse(_HELP)

    async def _performed(self, operation: str) -> str:
        """The result. Raises `_Refused`."""
        if why := why_no_operation(operation):
            raise _Refused(413 if why.startswith("too long") else 400, why)
        began = time.monotonic()
        try:
            result = await self._ask(operation)
        except Unanswered as error:
            self._latencies.unanswered += 1
            raise _Refused(504, str(error)) from None
        self._latencies.took(time.monotonic() - began)
        if result.startswith("error: "):
            raise _Refused(400, result)
        return result

    async def _key(self, request: HttpRequest) -> PlainTextResponse:
        key, method = _asked_key(request), request.method
        expected = _expected(request)
        if method == "PUT":
            value = word_of(await _body(request))
            await self._performed(f"put {key} {value}") if expected is None else await self._if(expected, key, value)
            return PlainTextResponse("ok\n")
        if expected is not None:
            return PlainTextResponse(text_of(await self._if(expected, key, NO_VALUE)))
        result = await self._performed(f"{'delete' if method == 'DELETE' else 'get'} {key}")
        if result == NO_VALUE:
            raise _Refused(404, f"there is no {text_of(key)}")
        return PlainTextResponse(text_of(result))

    async def _if(self, expected: str, key: str, value: str) -> str:
        """Changes the value if it is what is expected, and returns that; all of them are words."""
        before = await self._performed(f"cas {key} {expected} {value}")
        if before != expected:
            raise _Refused(412, f"not changed: {'there is none' if before == NO_VALUE else f'the value is {text_of(before)}'}")
        return before

    async def _operation(self, request: HttpRequest) -> PlainTextResponse:
        _expected(request)
        result = await self._performed(" ".join((await _body(request)).split()))
        return PlainTextResponse(f"{text_of(result) if self._machine == 'kv' else result}\n")

    async def _status(self, request: HttpRequest) -> PlainTextResponse:
        return PlainTextResponse(json.dumps(dict(await self._statuses())) + "\n", media_type="application/json")

    async def _metrics(self, request: HttpRequest) -> PlainTextResponse:
        return PlainTextResponse(metrics_text(await self._statuses(), self._latencies), media_type=CONTENT_TYPE)


async def _told(request: HttpRequest, error: Exception) -> PlainTextResponse:
    """What is not there, or not to be asked so."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    headers = error.headers if isinstance(error, HTTPException) else None
    return PlainTextResponse(f"no {request.method} {request.url.path} here; / lists all that there is\n", status, headers)


async def _refused(request: HttpRequest, error: Exception) -> PlainTextResponse:
    assert isinstance(error, _Refused)
    return PlainTextResponse(f"{error}\n", error.status)


def _asked_key(request: HttpRequest) -> str:
    """The key that the path names, as a word. Raises `_Refused` where it names none."""
    if request.url.query:
        raise _Refused(400, "expected /kv/KEY, and nothing behind a question mark; in a key it is written %3F")
    try:
        unquote_to_bytes(request.scope["raw_path"]).decode()
    except UnicodeDecodeError:
        raise _Refused(400, "the key is no text in UTF-8") from None
    key: str = request.path_params["key"]
    if not key:
        raise _Refused(404, "a key is missing: /kv/KEY")
    return word_of(key)


def _expected(request: HttpRequest) -> str | None:
    """The word that must be the value now: `-` for none at all, None where there is no condition. Raises `_Refused` where the condition is
    one that cannot be kept."""
    method = "GET" if request.method == "HEAD" else request.method
    found = [(name.decode("latin-1"), value) for name, value in request.headers.raw if name.decode("latin-1") in _CONDITIONS]
    if not found:
        return None
    name, value = found[0]
    understood = _UNDERSTOOD.get(method, ())
    if name not in understood or len(found) > 1 or (name == "if-none-match") != (value == b"*"):
        known = {"PUT": "If-Match: VALUE, or If-None-Match: *", "DELETE": "If-Match: VALUE"}.get(method, "no condition")
        raise _Refused(400, f"{', '.join(name for name, _ in found)}: cannot be kept here; {method} knows {known}")
    if name == "if-none-match":
        return NO_VALUE
    try:
        return word_of(value.decode())
    except UnicodeDecodeError:
        raise _Refused(400, "If-Match: the value is no text in UTF-8") from None


async def _body(request: HttpRequest) -> str:
    """The body as text. Raises `_Refused` where it is too long, or no text."""
    for name in ("content-encoding", "content-range"):
        if name in request.headers:
            raise _Refused(415 if name == "content-encoding" else 400, f"{name}: expected the whole value, as it is")
    found = bytearray()
    async for chunk in request.stream():
        found += chunk
        if len(found) > OPERATION_BYTES_MAX:
            raise _Refused(413, f"too long: at most {OPERATION_BYTES_MAX:,} bytes")
    try:
        return found.decode()
    except UnicodeDecodeError:
        raise _Refused(400, "the body is no text in UTF-8") from None


class _NoOtherSites:
    """Refuses what a page of another site asks for: it comes with an origin of its own, or under another host's name. Where the front is
    to be reached under any name a page must have come under a number: a name may be another site's, and lead here only now."""

    def __init__(self, app: ASGIApp, host: str) -> None:
        self.app = app
        self.names = {host_in_url(host.lower()), "localhost", "127.0.0.1", "[::1]"}
        self.everywhere = host in ("0.0.0.0", "::")

    async def __call__(self, scope: Scope, receive: Receive, send: AsgiSend) -> None:
        if self._is_refused(Headers(scope=scope)):
            await PlainTextResponse("pages of other sites are not answered\n", 403)(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    def _is_refused(self, headers: Headers) -> bool:
        at, origins = headers.get("host", "").lower(), headers.getlist("origin")
        name = at.rpartition(":")[0] if at.rpartition(":")[2].isdecimal() else at
        if any(each.lower().removesuffix(":80") != f"http://{at.removesuffix(':80')}" for each in origins):
            return True
        return name not in self.names and not (self.everywhere and (not origins or _is_number(name)))


def _is_number(name: str) -> bool:
    """Whether it is an address of IP, as it is in a URL."""
    try:
        ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True
