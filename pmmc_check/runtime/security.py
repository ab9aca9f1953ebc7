"""Who may talk to a node: whoever holds the key that the cluster shares, or a certificate of the cluster's own authority."""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pmmc_check.errors import UsageError

KEY_BYTES_MIN = 16


@dataclass(frozen=True)
class Certificates:
    """PEM files: a node's certificate, its private key, and the authority that has signed the certificates of all nodes and clients."""

    certificate: Path
    private_key: Path
    authority: Path


@dataclass(frozen=True)
class Security:
    """A key authenticates every frame (HMAC-SHA-256) and hides nothing; certificates make all connections TLS, with both ends known.

    Without either anybody who reaches a node is believed, so that it may listen on loopback only."""

    key: bytes = b""
    certificates: Certificates | None = None

    def context(self, server: bool, refuses: Callable[[str], None] | None = None) -> ssl.SSLContext | None:
        """What connections are made with; None for plain TCP. `refuses` is told why a peer was not let in.

        Raises:
            UsageError: a certificate cannot be used.
        """
        if self.certificates is None:
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
        if refuses is not None:
            context.sslobject_class = _telling(refuses)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.check_hostname = False  # nodes are known by the authority, wherever they run
        context.verify_mode = ssl.CERT_REQUIRED
        try:
            context.load_cert_chain(self.certificates.certificate, self.certificates.private_key)
            context.load_verify_locations(self.certificates.authority)
        except (OSError, ValueError) as error:
            raise UsageError(
                f"[tls] {self.certificates.certificate}, {self.certificates.private_key} and {self.certificates.authority}: "
                f"cannot be used: {error}; expected PEM files of a certificate, its key, and the authority that signed it"
            ) from None
        return context

    def check_listens(self, name: str, host: str) -> None:
        """Raises `UsageError` where a node without key and certificates would listen beyond this machine."""
        if not (self.key or self.certificates or _is_loopback(host)):
            raise UsageError(
                f"{name} would listen on {host}, where anybody who reaches it is believed; share a key (key_file) or certificates ([tls]) "
                "among the nodes, or give it a loopback address such as 127.0.0.1"
            )


def tls_reason(error: ssl.SSLError) -> str:
    """What OpenSSL says, as words."""
    return (error.reason or str(error)).lower().replace("_", " ")


def _telling(refuses: Callable[[str], None]) -> type[ssl.SSLObject]:
    """Connections whose failed handshakes are told: asyncio says nothing of them."""

    class Telling(ssl.SSLObject):
        def do_handshake(self) -> None:
            try:
                super().do_handshake()
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                raise
            except ssl.SSLError as error:
                refuses(f"a connection that is no TLS, or shows no certificate of our authority ({tls_reason(error)})")
                raise

    return Telling


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def read_key(path: Path) -> bytes:
    """The key in a file, without white space around it.

    Raises:
        UsageError: there is none, or it is too short.
    """
    try:
        key = path.read_bytes().strip()
    except OSError as error:
        raise UsageError(f"key_file {path}: cannot be read: {error.strerror}; make one with: openssl rand -hex 32") from None
    if len(key) < KEY_BYTES_MIN:
        raise UsageError(f"key_file {path}: {len(key)} bytes are easily guessed; make one with: openssl rand -hex 32")
    return key
