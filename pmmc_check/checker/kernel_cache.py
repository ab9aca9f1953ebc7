"""Where compiled kernels are kept: a folder of this user's own, never one inside an installed package.

Numba's own choice falls back on `__pycache__` beside the source. Of an installed package that is a folder which an installer does not
know, so it outlives an uninstallation and hides the next one. And what is kept is unpickled, that is executed, when it is read: so a
folder is used only if it belongs to this user and nobody else can write to it."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator
from functools import cache
from hashlib import sha256
from pathlib import Path

_NAME = "pmmc-check"


@cache
def cache_folder() -> Path | None:
    """The folder for compiled kernels, made if need be; None where there is none, so that every run compiles.

    In this order: what `NUMBA_CACHE_DIR` names, whoever owns it, since the user says so; `$XDG_CACHE_HOME/pmmc-check`;
    `~/.cache/pmmc-check`; a folder in the temporary directory.
    """
    return next((folder for folder in _candidates() if _takes_files(folder)), None)


@cache
def source_stamp() -> str:
    """Changes with every source of kernels, since a kernel has the kernels that it calls, and the numbers of layouts, compiled into it."""
    sources = {source: source.read_bytes() for source in sorted(Path(__file__).parent.rglob("*.py"))}
    kernels = (text for source, text in sources.items() if source.name == "layout.py" or _has_kernels(text))
    return sha256(b"".join(kernels)).hexdigest()


def _has_kernels(text: bytes) -> bool:
    return b"\n@kernel\n" in text or b"\ndef kernel(" in text


def _candidates() -> Iterator[Path]:
    installation = sha256(str(Path(__file__).parent).encode()).hexdigest()[:16]
    if chosen := os.environ.get("NUMBA_CACHE_DIR"):
        yield Path(chosen).absolute() / f"{_NAME}-{installation}"
    for home in (os.environ.get("XDG_CACHE_HOME") or "", os.path.expanduser("~/.cache")):
        if os.path.isabs(home) and _made_private(Path(home, _NAME)) and _made_private(Path(home, _NAME, installation)):
            yield Path(home, _NAME, installation)
    for folder in _temporary():
        if _made_private(folder / installation):
            yield folder / installation


def _temporary() -> Iterator[Path]:
    """Folders of this user's own in the temporary directory.

    Anybody can make one with the name that is tried first. Then there is another, with a name that nobody could foresee; later runs find
    it again.
    """
    try:
        temporary = Path(tempfile.gettempdir())
        if _others_can_rename_in(temporary):
            return
        name = f"{_NAME}-{os.geteuid() if hasattr(os, 'geteuid') else 0}"
        if _made_private(temporary / name):
            yield temporary / name
        yield from filter(_is_private, sorted(temporary.glob(f"{name}-*")))
        yield Path(tempfile.mkdtemp(prefix=f"{name}-", dir=temporary))
    except OSError:
        return


def _made_private(folder: Path) -> bool:
    """Whether there is such a folder now, and it is nobody else's."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError:
        return False
    return _is_private(folder)


def _is_private(folder: Path) -> bool:
    """Whether this is a folder, not a link to one, of this user's own, and nobody else can write to it or put another in its place."""
    try:
        own = folder.lstat()
        if not stat.S_ISDIR(own.st_mode) or _others_can_rename_in(folder.parent):
            return False
    except OSError:
        return False
    if not hasattr(os, "geteuid"):
        return True  # Windows: such folders are each user's own
    return own.st_uid == os.geteuid() and not own.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _others_can_rename_in(folder: Path) -> bool:
    """Whether everybody can rename what is in a folder: everybody can write there, and it is not "sticky" as /tmp is."""
    mode = folder.stat().st_mode
    return hasattr(os, "geteuid") and bool(mode & stat.S_IWOTH) and not mode & stat.S_ISVTX


def _takes_files(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False
