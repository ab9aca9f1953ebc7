"""Listens, answers until it is told to end."""

from __future__ import annotations

import socket
import threading
from dataclasses import dataclass

import uvicorn

from pmmc_check.errors import UsageError
from pmmc_check.explorer.server.answers import Beginning
from pmmc_check.explorer.server.application import ExplorerPages
from pmmc_check.explorer.server.background import BackgroundSearch
from pmmc_check.explorer.server.gatekeeper import Gatekeeper
from pmmc_check.explorer.session import Subject
from pmmc_check.spec.document import Spec

HOST, PORT = "127.0.0.1", 8642
"""Where it listens unless something else is asked for."""


@dataclass(frozen=True)
class ServedAt:
    """Where to listen."""

    host: str = HOST
    port: int = PORT


def served_at(text: str) -> ServedAt:
    """`HOST:PORT`, `HOST` or `:PORT`; an IPv6 host stands in square brackets; port 0 is any free one.

    Raises:
        UsageError: it is none of these.
    """
    host, colon, port = text.rpartition(":") if ":" in text.rpartition("]")[2] else (text, "", "")
    if colon and not (port.isascii() and port.isdecimal() and int(port[:6]) < 65_536):
        raise UsageError(f"--serve {text}: the port must be a number from 0 to 65535, such as {host or HOST}:{PORT}")
    return ServedAt(host.strip("[]") or HOST, int(port) if colon else PORT)


def listening(where: ServedAt) -> socket.socket:
    """A socket that listens there.

    Raises:
        UsageError: it cannot.
    """
    try:
        family = socket.getaddrinfo(where.host, where.port, type=socket.SOCK_STREAM)[0][0]
        found = socket.socket(family, socket.SOCK_STREAM)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind((where.host, where.port))
        found.listen(64)
    except (socket.gaierror, UnicodeError):
        raise UsageError(
            f"--serve {where.host}: no such host; expected the HOST, PORT or both of HOST:PORT, such as {HOST}:{PORT} or :0"
        ) from None
    except OSError as error:
        hint = "; another program listens there: give another port, such as :0 for any free one" if error.errno in _TAKEN else ""
        raise UsageError(f"--serve {where.host}:{where.port}: {error.strerror or error}{hint}") from None
    return found


_TAKEN = (98, 48, 10048)
"""EADDRINUSE on Linux, macOS, Windows."""


_AT_THE_START = Beginning()


class Serving:
    """Answers from another thread, so that the main one hears Ctrl-C."""

    def __init__(  # noqa: PLR0917
        self,
        subject: Subject,
        spec: Spec | None,
        search: BackgroundSearch | None,
        at: socket.socket,
        gatekeeper: Gatekeeper,
        beginning: Beginning = _AT_THE_START,
    ) -> None:
        pages = ExplorerPages(subject, spec, search, gatekeeper, beginning)
        config = uvicorn.Config(
            pages.application(), log_level="error", access_log=False, server_header=False, lifespan="off", timeout_graceful_shutdown=1
        )
        self._server = uvicorn.Server(config)
        self._search = search
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [at]}, name="server", daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """Until it ends by itself, or Ctrl-C is raised here."""
        while self._thread.is_alive():
            self._thread.join(timeout=0.5)

    def stop(self) -> None:
        """Ends it, and the search beside it."""
        self._server.should_exit = True
        if self._search is not None:
            self._search.stop()
        self._thread.join(timeout=3.0)
