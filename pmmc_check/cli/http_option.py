"""What follows `--http`."""

from __future__ import annotations

import importlib.util

from pmmc_check.errors import UsageError

_EXTRA = ("starlette", "uvicorn", "prometheus_client")


def http_address(text: str) -> tuple[str, int]:
    """`PORT` or `HOST:PORT`; without a host it is loopback.

    Raises:
        UsageError: it is neither, or what answers HTTP is not installed.
    """
    for name in _EXTRA:
        if importlib.util.find_spec(name) is None:
            raise UsageError(f"--http: needs {name}; install it in your clone of pmmc-check: pip install '.[serve]'")
    host, _, port = text.rpartition(":")
    if not (port.isascii() and port.isdecimal() and int(port[:6]) < 2**16):
        raise UsageError(f"--http {text}: expected PORT or HOST:PORT, such as 8080 or 127.0.0.1:8080; 0 is any free port")
    return host.strip("[]") or "127.0.0.1", int(port)
