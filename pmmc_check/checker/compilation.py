"""How kernels are compiled: without the interpreter lock, and kept on disk where there is a folder for them.

The first compilation on a machine takes a while and says so; later runs load the result. This is the only module that imports numba."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numba
from llvmlite import ir
from numba import uint32, uint64
from numba.core import caching, event, types
from numba.core.runtime import rtsys
from numba.extending import intrinsic

from pmmc_check.checker.kernel_cache import cache_folder, source_stamp
from pmmc_check.errors import UsageError

__all__ = ["announce_compilation", "borrowed", "kernel", "prefetch", "uint32", "uint64"]

if numba.config.DISABLE_JIT:
    raise UsageError("NUMBA_DISABLE_JIT is set, but this search needs compiled kernels; unset it, or use --engine reference")


def kernel(function: Callable[..., Any]) -> Any:
    """Compiles `function` on its first call; without a folder to keep the result it is compiled on every run."""
    compiled = numba.njit(function, nogil=True, error_model="numpy", boundscheck=False)
    folder = cache_folder()
    if folder is not None:
        compiled._cache = _KernelCache(function)  # numba's own choice of a folder may be the installed package's
    return compiled


class _Place:
    """Where one kernel is kept (what numba calls a cache locator)."""

    def get_cache_path(self) -> str:
        """The folder."""
        return str(cache_folder())

    def ensure_cache_path(self) -> None:
        """Makes the folder, should it have gone meanwhile."""
        Path(self.get_cache_path()).mkdir(mode=0o700, parents=True, exist_ok=True)

    def get_source_stamp(self) -> str:
        """What is kept is used only while this is the same."""
        return source_stamp()

    def get_disambiguator(self) -> str:
        """Kernels have names of their own, so nothing more is needed."""
        return "kernel"


class _KernelCacheImpl(caching.CompileResultCacheImpl):  # type: ignore[misc]  # numba has no types
    def __init__(self, function: Callable[..., Any]) -> None:
        self._lineno = function.__code__.co_firstlineno
        self._locator = _Place()
        self._filename_base = self.get_filename_base(f"{function.__module__}.{function.__qualname__}", getattr(sys, "abiflags", ""))


class _KernelCache(caching.FunctionCache):  # type: ignore[misc]  # likewise
    """A cache that is never in the way: what cannot be read is compiled again, what cannot be written is not kept."""

    _impl_class = _KernelCacheImpl

    def load_overload(self, signature: Any, target_context: Any) -> Any:
        """The kernel as it was kept, or None."""
        try:
            rtsys.initialize(target_context)  # numba refreshes the whole context, which only a compilation needs: a tenth of a second
            return super()._load_overload(signature, target_context)
        except Exception:  # a damaged file can raise anything
            with suppress(Exception):
                self.flush()
            return None

    def save_overload(self, signature: Any, compiled: Any) -> None:
        """Keeps a kernel: the next run then need not compile it."""
        try:
            super().save_overload(signature, compiled)
        except Exception:  # a full disk, or a damaged index
            self.disable()


@intrinsic  # type: ignore[untyped-decorator]  # likewise
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


@intrinsic  # type: ignore[untyped-decorator]  # likewise
def _borrowed(typing_context: Any, array: Any) -> Any:
    """The same array, without a count of references to it: for a call which the array outlives. Counting is an atomic operation each time
    that an array is passed on."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array_type = signature.args[0]
        struct = context.make_array(array_type)(context, builder, arguments[0])
        struct.meminfo = ir.Constant(struct.meminfo.type, None)
        struct.parent = ir.Constant(struct.parent.type, None)
        return struct._getvalue()

    return array(array), generate


borrowed: Any = _borrowed


class _Announce(event.Listener):  # type: ignore[misc]  # likewise
    """Says once, on stderr, that kernels are being compiled."""

    said = False
    listening = False

    def on_start(self, compiled: Any) -> None:
        """Numba begins to compile something that it has not on disk."""
        if not _Announce.said:
            _Announce.said = True
            print("pmmc-check: compiling the search kernels (only the first time, a few seconds) ...", file=sys.stderr)

    def on_end(self, compiled: Any) -> None:
        """Called by numba at the end of a compilation; there is nothing to report then."""


def announce_compilation() -> None:
    """From now on the first compilation is announced: for the command, which has a user who waits."""
    if not _Announce.listening:
        _Announce.listening = True
        event.register("numba:compile", _Announce())
