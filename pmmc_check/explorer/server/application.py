"""The routes, with starlette."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from importlib.resources import files
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.responses import Response as HttpResponse
from starlette.routing import Route

from pmmc_check.browser_headers import HEADERS
from pmmc_check.errors import PmmcError
from pmmc_check.explorer.server.answers import Beginning, about, command_answer, state_answer, trace_answer, why_not_answer
from pmmc_check.explorer.server.background import BackgroundSearch
from pmmc_check.explorer.server.gatekeeper import Gatekeeper
from pmmc_check.explorer.session import Subject
from pmmc_check.spec.document import Spec

BODY_BYTES_MAX = 16_384
SEARCHES_MAX = 2
"""So many `until`s at the same time; others wait."""
ASSETS = {
    "": ("explorer.html", "text/html"),
    "explorer.js": ("explorer.js", "text/javascript"),
    "explorer.css": ("explorer.css", "text/css"),
}
"""All files that there are, by their name in the address."""


class ExplorerPages:
    """Answers requests about one subject."""

    def __init__(
        self, subject: Subject, spec: Spec | None, search: BackgroundSearch | None, gatekeeper: Gatekeeper, beginning: Beginning
    ) -> None:
        self._subject, self._spec, self._search, self._gatekeeper, self._beginning = subject, spec, search, gatekeeper, beginning
        self._searching = asyncio.Semaphore(SEARCHES_MAX)
        self._files = {
            name: files("pmmc_check.explorer.server").joinpath("assets", file).read_bytes() for name, (file, _) in ASSETS.items()
        }

    def application(self) -> Starlette:
        """What uvicorn runs."""
        routes = [
            Route("/{token}/state", self._guarded(self._state)),
            Route("/{token}/about", self._guarded(self._about)),
            Route("/{token}/why-not", self._guarded(self._why_not)),
            Route("/{token}/search", self._guarded(self._background)),
            Route("/{token}/trace", self._guarded(self._trace)),
            Route("/{token}/command", self._guarded(self._command), methods=["POST"]),
            Route("/{token}/{name}", self._guarded(self._file)),
            Route("/{token}/", self._guarded(self._file)),
            Route("/{rest:path}", self._guarded(self._nothing), methods=["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"]),
        ]
        return Starlette(routes=routes)

    def _guarded(self, answer: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
        """Refuses who must not ask; makes a sentence of what cannot be done."""

        async def guarded(request: HttpRequest) -> HttpResponse:
            refusal = self._gatekeeper.refuses(request.method, str(request.path_params.get("token", "")), request.headers)
            if refusal is not None:
                return PlainTextResponse(f"refused: {refusal}\n", 403, HEADERS)
            try:
                response: HttpResponse = await answer(request)
            except PmmcError as error:
                response = JSONResponse({"error": str(error)})
            response.headers.update(HEADERS)
            return response

        return guarded

    async def _file(self, request: HttpRequest) -> HttpResponse:
        name = request.path_params.get("name", "")
        if name not in ASSETS:
            return await self._nothing(request)
        return HttpResponse(self._files[name], media_type=ASSETS[name][1])

    async def _nothing(self, request: HttpRequest) -> HttpResponse:
        return PlainTextResponse("there is nothing here\n", 404)

    async def _about(self, request: HttpRequest) -> HttpResponse:
        return JSONResponse(about(self._subject, self._beginning))

    async def _state(self, request: HttpRequest) -> HttpResponse:
        return JSONResponse(await run_in_threadpool(state_answer, self._subject, request.query_params.get("path", "")))

    async def _why_not(self, request: HttpRequest) -> HttpResponse:
        asked = request.query_params
        return JSONResponse(await run_in_threadpool(why_not_answer, self._subject, asked.get("path", ""), asked.get("message", "")))

    async def _background(self, request: HttpRequest) -> HttpResponse:
        return JSONResponse(self._search.answer() if self._search else None)

    async def _trace(self, request: HttpRequest) -> HttpResponse:
        text = await run_in_threadpool(trace_answer, self._subject, request.query_params.get("path", ""))
        return PlainTextResponse(text, headers={"Content-Disposition": 'attachment; filename="run.pmmc"'})

    async def _command(self, request: HttpRequest) -> HttpResponse:
        body = b""
        async for part in request.stream():
            body += part
            if len(body) > BODY_BYTES_MAX:
                return PlainTextResponse("this is too long\n", 413)
        try:
            asked = json.loads(body)
            path, line = str(asked["path"]), str(asked["line"])
        except (ValueError, KeyError, TypeError, RecursionError):
            return JSONResponse({"error": "expected an object with path and line"}, 400)
        async with self._searching:
            return JSONResponse(await run_in_threadpool(command_answer, self._subject, path, line, self._spec))
