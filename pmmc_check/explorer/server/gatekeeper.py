"""Who is let in: whoever knows the token, by the address that the server was started with, and from no other site's page."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from pmmc_check.errors import UsageError

LOOPBACK = ("127.0.0.1", "localhost", "::1")
TOKEN_LENGTH_MIN = 16


def token_from(given: str | None) -> str:
    """The token: a new one, unless one is given, so that addresses stay the same over a restart.

    Raises:
        UsageError: the given one is too short, or has signs that an address cannot have.
    """
    if given is None:
        return secrets.token_urlsafe(16)
    if len(given) < TOKEN_LENGTH_MIN or not all(each.isascii() and (each.isalnum() or each in "-_") for each in given):
        raise UsageError(f"PMMC_CHECK_TOKEN: expected at least {TOKEN_LENGTH_MIN} letters, digits, - or _")
    return given


@dataclass(frozen=True)
class Gatekeeper:
    """`host` and `port` are those that the server listens at."""

    token: str
    host: str
    port: int

    @property
    def hosts(self) -> tuple[str, ...]:
        """What a browser may call this server."""
        names = LOOPBACK if self.host in LOOPBACK else (self.host,)
        return tuple(f"{f'[{name}]' if ':' in name else name}:{self.port}" for name in names)

    @property
    def address(self) -> str:
        """Where to begin."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}/{self.token}/"

    def refuses(self, method: str, token: str, headers: Mapping[str, str]) -> str | None:
        """Why a request is refused; None: it is let in. Names of headers are in lower case."""
        host = headers.get("host", "")
        if self.host not in ("0.0.0.0", "::") and host not in self.hosts:
            return "the Host header is another server's"
        origin = headers.get("origin")
        if (origin is not None or method == "POST") and origin != f"http://{host}":
            return "the request comes from another site"
        if headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            return "the request comes from another site"
        if not secrets.compare_digest(token.encode(), self.token.encode()):
            return "the token is wrong: open the address that the command printed"
        return None
