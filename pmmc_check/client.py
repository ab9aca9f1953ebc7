"""Clients of a running cluster (`pmmc-check node`), for programs.

    from pmmc_check.client import ClusterClient

    with ClusterClient("cluster.toml") as store:
        store.put("colour", "green")
        store.compare_and_set("colour", "green", "blue")

Each operation takes effect exactly once, whatever is lost or crashes on the way; where no answer comes, `Unanswered` is raised, and nobody
knows whether it took effect. Both clients may be used for many operations at the same time.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Any, TypeVar

from pmmc_check.errors import PmmcError, UsageError
from pmmc_check.runtime.client_session import ClientSession, NotAdmitted, Unanswered
from pmmc_check.runtime.cluster_file import read_cluster_file
from pmmc_check.runtime.operations import NO_VALUE, beginning_of, text_of, why_no_text, word_of

__all__ = ["AsyncClusterClient", "ClusterClient", "NotAdmitted", "Refused", "Unanswered"]
_T = TypeVar("_T")
_END_SECONDS = 1.0
"""So long threads that still wait may take to hear that the session was closed."""


class Refused(PmmcError):
    """The cluster's state machine does not know the operation: it runs another machine, perhaps."""


class AsyncClusterClient:
    """A session with the cluster that the file `cluster` describes, for asyncio. `timeout` is in seconds.

    Raises:
        UsageError: the file, or what it names, cannot be used.
        ValueError: the timeout is no number of seconds above 0.
    """

    def __init__(self, cluster: str | Path, *, timeout: float = 10.0) -> None:
        if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not timeout > 0:
            raise ValueError(f"timeout: expected a number of seconds above 0, got {timeout!r}")
        self._cluster, self._timeout = read_cluster_file(Path(cluster)), timeout
        self._session: ClientSession | None = None

    async def __aenter__(self) -> AsyncClusterClient:
        self._session = ClientSession(self._cluster, self._timeout)
        await self._session.open()
        return self

    async def __aexit__(self, *error: object) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None

    async def ask(self, operation: str) -> str:
        """Has any operation of the cluster's state machine performed, such as `add 5`; returns its result.

        Raises:
            Unanswered: no answer came in time.
            NotAdmitted: all replicas refuse this client; nothing has taken effect.
            Refused: the state machine does not know the operation.
            TypeError: it is no text (str); this, and the next, is raised before anything is sent.
            ValueError: it is empty, or has more than 1 MiB (keys and values are percent-encoded in it).
        """
        if self._session is None:
            raise UsageError("the client is not open: use it within 'with ClusterClient(...)' or 'async with AsyncClusterClient(...)'")
        result = await self._session.ask(operation)
        if result.startswith("error: "):
            raise Refused(f"{beginning_of(repr(operation))}: {result.removeprefix('error: ')}")
        return result

    async def get(self, key: str) -> str | None:
        """The value of `key`; None where there is none. Raises as `ask`, and so do all others."""
        return _value(await self.ask(f"get {_word('key', key)}"))

    async def put(self, key: str, value: str) -> str | None:
        """Sets `key`; returns the value before."""
        return _value(await self.ask(f"put {_word('key', key)} {_word('value', value)}"))

    async def delete(self, key: str) -> str | None:
        """Removes `key`; returns the value before."""
        return _value(await self.ask(f"delete {_word('key', key)}"))

    async def compare_and_set(self, key: str, expected: str | None, value: str) -> bool:
        """Sets `key` if its value is `expected` (None: if there is none); returns whether it was."""
        old = NO_VALUE if expected is None else _word("expected", expected, " or None")
        before = await self.ask(f"cas {_word('key', key)} {old} {_word('value', value)}")
        return _value(before) == expected


def _word(name: str, text: str, otherwise: str = "") -> str:
    """The word for an argument. Raises `TypeError` where it is no text, `ValueError` where it is one that cannot be sent."""
    if not isinstance(text, str):
        raise TypeError(f"{name}: expected a text (str){otherwise}, got {type(text).__name__}")
    if why := why_no_text(text):
        raise ValueError(f"{name}: {why}")
    return word_of(text)


def _value(word: str) -> str | None:
    return None if word == NO_VALUE else text_of(word)


class ClusterClient:
    """The same without asyncio: each call returns when it is answered. It may be shared by threads."""

    def __init__(self, cluster: str | Path, *, timeout: float = 10.0) -> None:
        self._client = AsyncClusterClient(cluster, timeout=timeout)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._begins_or_ends = threading.Lock()
        """So that no call begins when the last ones are ended."""

    def __enter__(self) -> ClusterClient:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="pmmc-check client", daemon=True)
        self._thread.start()
        try:
            self._do(self._client.__aenter__())
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        with self._begins_or_ends:
            loop, self._loop = self._loop, None
        if loop is not None and (thread := self._thread) is not None:
            asyncio.run_coroutine_threadsafe(self._end(), loop).result()
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()

    async def _end(self) -> None:
        """Closes the session, and ends what threads still wait for when they have not heard of that soon."""
        await self._client.__aexit__()
        waiting = asyncio.all_tasks() - {asyncio.current_task()}
        if waiting:
            _, waiting = await asyncio.wait(waiting, timeout=_END_SECONDS)
        for each in waiting:
            each.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)

    def _do(self, call: Coroutine[Any, Any, _T]) -> _T:
        with self._begins_or_ends:
            if self._loop is None:
                call.close()
                raise UsageError("the client is not open: use it within 'with ClusterClient(...)'")
            asked = asyncio.run_coroutine_threadsafe(call, self._loop)
        try:
            return asked.result()
        except CancelledError:
            raise Unanswered("the client was closed before an answer came; what was asked may or may not have taken effect") from None

    def ask(self, operation: str) -> str:
        """As `AsyncClusterClient.ask`."""
        return self._do(self._client.ask(operation))

    def get(self, key: str) -> str | None:
        """As `AsyncClusterClient.get`."""
        return self._do(self._client.get(key))

    def put(self, key: str, value: str) -> str | None:
        """As `AsyncClusterClient.put`."""
        return self._do(self._client.put(key, value))

    def delete(self, key: str) -> str | None:
        """As `AsyncClusterClient.delete`."""
        return self._do(self._client.delete(key))

    def compare_and_set(self, key: str, expected: str | None, value: str) -> bool:
        """As `AsyncClusterClient.compare_and_set`."""
        return self._do(self._client.compare_and_set(key, expected, value))
