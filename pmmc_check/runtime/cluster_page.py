"""A page that shows how a cluster is doing, for a browser; it asks once a second, and changes nothing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from importlib.resources import files
from typing import Any

from starlette.requests import Request as HttpRequest
from starlette.responses import RedirectResponse
from starlette.responses import Response as HttpResponse
from starlette.routing import BaseRoute, Route

from pmmc_check.browser_headers import HEADERS
from pmmc_check.runtime.metrics import Latencies

Statuses = Mapping[str, dict[str, Any] | str]
"""By node: what it says of itself, or why it says nothing."""

_FRESH_SECONDS = 0.5
_FILES = {"": ("cluster.html", "text/html"), "cluster.js": ("cluster.js", "text/javascript"), "cluster.css": ("cluster.css", "text/css")}
"""By their name in the address."""


class ClusterPage:
    """`statuses` asks all nodes, `faults` are those made on purpose so far, `latencies` of the front's requests."""

    def __init__(self, statuses: Callable[[], Awaitable[Statuses]], faults: Callable[[], Mapping[str, int]], latencies: Latencies) -> None:
        self._ask_all, self._faults, self._latencies = statuses, faults, latencies
        self._asked: asyncio.Task[Statuses] | None = None
        self._asked_at = 0.0
        self._files = {name: files("pmmc_check.runtime").joinpath("page", file).read_bytes() for name, (file, _) in _FILES.items()}

    def routes(self) -> list[BaseRoute]:
        """All that the page needs."""
        return [
            Route("/page", self._to_the_page),
            Route("/page/state", self._state),
            *(Route(f"/page/{name}", self._file) for name in _FILES),
        ]

    async def _to_the_page(self, request: HttpRequest) -> HttpResponse:
        return RedirectResponse("/page/", headers=HEADERS)

    async def _file(self, request: HttpRequest) -> HttpResponse:
        name = request.url.path.removeprefix("/page/")
        return HttpResponse(self._files[name], media_type=_FILES[name][1], headers=HEADERS)

    async def _state(self, request: HttpRequest) -> HttpResponse:
        told = {
            "nodes": dict(await self._statuses()),
            "faults": dict(self._faults()),
            "answered": self._latencies.answered,
            "unanswered": self._latencies.unanswered,
        }
        return HttpResponse(json.dumps(told), media_type="application/json", headers=HEADERS)

    async def _statuses(self) -> Statuses:
        """The nodes are asked once for however many look at the page."""
        now = asyncio.get_running_loop().time()
        if self._asked is None or now - self._asked_at > _FRESH_SECONDS:
            self._asked, self._asked_at = asyncio.ensure_future(self._ask_all()), now
        return await asyncio.shield(self._asked)
