"""How kernels are compiled: without the interpreter lock, kept on disk where a folder can be written.

The first compilation on a machine takes a while and says so; later runs load the result.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any


def _cache_folder() -> str | None:
    """The first folder that can be written: the user's cache, else a temporary one."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    for folder in (home / "pmmc-check", Path(tempfile.gettempdir()) / f"pmmc-check-{os.getuid() if hasattr(os, 'getuid') else 0}"):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                return str(folder)
        except OSError:
            continue
    return None


_folder = os.environ.get("NUMBA_CACHE_DIR") or _cache_folder()
if _folder:
    os.environ["NUMBA_CACHE_DIR"] = _folder

import numba  # noqa: E402  (its cache folder is read on import)
from llvmlite import ir  # noqa: E402  (follows numba)
from numba.core import event, types  # noqa: E402  (likewise)
from numba.extending import intrinsic  # noqa: E402  (likewise)


def kernel(function: Callable[..., Any]) -> Any:
    """Compiles `function` on its first call; without a folder to keep the result it is compiled on every run."""
    try:
        return numba.njit(function, nogil=True, cache=True, error_model="numpy", boundscheck=False)
    except RuntimeError:
        return numba.njit(function, nogil=True, error_model="numpy", boundscheck=False)


@intrinsic
def _prefetch(typing_context: Any, array: Any, place: Any) -> Any:
    """Asks the processor to fetch element `place` of a uint64 array: the look-ups that follow then do not wait for memory."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array_type = signature.args[0]
        struct = context.make_array(array_type)(context, builder, arguments[0])
        offset = builder.mul(arguments[1], ir.Constant(ir.IntType(64), 8))
        address = builder.inttoptr(builder.add(builder.ptrtoint(struct.data, ir.IntType(64)), offset), ir.IntType(8).as_pointer())
        i32 = ir.IntType(32)
        function = builder.module.declare_intrinsic(
            "llvm.prefetch", [address.type], ir.FunctionType(ir.VoidType(), [address.type, i32, i32, i32])
        )
        builder.call(function, [address, ir.Constant(i32, 1), ir.Constant(i32, 3), ir.Constant(i32, 1)])
        return context.get_dummy_value()

    return types.void(array, types.uint64), generate


prefetch: Any = _prefetch


class _Announce(event.Listener):
    """Says once, on stderr, that kernels are being compiled."""

    said = False

    def on_start(self, compiled: Any) -> None:
        """Numba begins to compile something that it has not on disk."""
        if not _Announce.said:
            _Announce.said = True
            print("pmmc-check: compiling the search kernels (only the first time, a few seconds) ...", file=sys.stderr)

    def on_end(self, compiled: Any) -> None:
        """Called by numba at the end of a compilation; there is nothing to report then."""


def announce_compilation() -> None:
    """From now on the first compilation is announced."""
    event.register("numba:compile", _Announce())  # type: ignore[no-untyped-call]  # numba has no types
