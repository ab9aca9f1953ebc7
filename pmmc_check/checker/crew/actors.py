"""A crew whose workers are actors of Ray: processes of this machine, or of a cluster. Ray is imported here only, when it is asked for."""

from __future__ import annotations

import os
import re
import shutil
import signal
import tempfile
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from glob import glob
from pathlib import Path
from types import ModuleType
from typing import Any

import psutil

from pmmc_check.checker.crew.crews import WorkerLost
from pmmc_check.checker.crew.worker import CrewWorker
from pmmc_check.errors import UsageError

OBJECT_STORE_BYTES = 200 * 2**20
"""What a Ray on this machine keeps of what is on its way; more goes to disk."""
_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # else it warns of a coming default
    "GRPC_VERBOSITY": "NONE",
    "RAY_DEDUP_LOGS_SKIP_REGEX": ".*",  # else it says on stdout that a worker has died
}
_END_SECONDS_MAX = 10.0
"""So long its processes may take to end."""
_REPLY_SECONDS_MAX = 60.0
"""A worker that has died is noticed at once; one that cannot be started, after so long."""


class Actor:
    """A worker, as Ray runs it."""

    def __init__(self, number: int, workers: int) -> None:
        self.worker = CrewWorker(number, workers)

    def do(self, method: str, *arguments: Any) -> Any:
        """Calls one of its methods; what was answered elsewhere has arrived by then."""
        return getattr(self.worker, method)(*arguments)

    def parts(self, method: str, *arguments: Any) -> Any:
        """The same, of a method whose answer is a list: each part goes its own way."""
        parts = self.do(method, *arguments)
        return parts if len(parts) > 1 else parts[0]

    def process(self) -> int:
        """Which process it is."""
        return os.getpid()


def ray_module(option: str) -> ModuleType:
    """Ray.

    Raises:
        UsageError: it is not installed; `option` asks for it.
    """
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    try:
        import ray  # noqa: PLC0415  # 200 MB that no other search needs
    except ImportError:
        raise UsageError(f"{option}: this needs Ray; install it with: pip install 'ray[client]'") from None
    module: ModuleType = ray
    return module


class Actors:
    """So many `workers`, each an actor; on the cluster at `address` by default as many as it has processors. `folder` is one of this
    machine, in which they can write, as long as the crew is there; None on a cluster.

    Raises:
        UsageError: Ray is not installed, or there is no cluster at `address`.
    """

    elsewhere = True

    def __init__(self, workers: int | None, address: str | None = None) -> None:
        self._ray = ray_module("--workers" if address is None else "--cluster")
        self._asked = workers
        self._address = address
        self.shares_memory = address is None
        self._actors: list[Any] = []
        self._own: str | None = None
        if address is None:
            _remove_left_behind()
            self._own = tempfile.mkdtemp(prefix=_prefix(os.getpid()), dir=_short_folder())
        self.folder: Path | None = None if self._own is None else Path(self._own, "levels")
        try:
            with _signals_kept():
                self._connect()
        except BaseException:
            self.close()
            raise

    def _connect(self) -> None:
        quiet = {"logging_level": "CRITICAL", "log_to_driver": False}
        if self._address is None:
            try:
                self._ray.init(
                    num_cpus=self._asked,
                    object_store_memory=OBJECT_STORE_BYTES,
                    include_dashboard=False,
                    _temp_dir=self._own,
                    **quiet,
                )
            except Exception as error:  # whatever it is, it is Ray's
                why = str(error).partition("\n")[0]
                raise UsageError(
                    f"--workers {self._asked}: Ray did not start on this machine ({why}); try again when it is less busy, "
                    f"or leave --workers out: threads do the same"
                ) from None
            return
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # it says the same as the error
                self._ray.init(self._address, **quiet)
        except (ConnectionError, ValueError, RuntimeError, TimeoutError) as error:
            why = str(error).partition("\n")[0]
            raise UsageError(
                f"--cluster {self._address}: no Ray cluster answers there ({why}); "
                f"is it up, and has this shell its token? (docs/workers.md)"
            ) from None

    @property
    def workers(self) -> int:
        """How many there are."""
        return len(self._actors)

    def wanted(self) -> int:
        """As many as were asked for; of a cluster no more than it has processors now."""
        if self._address is None and self._asked:
            return self._asked
        processors = max(1, int(self._ray.cluster_resources().get("CPU", 1)))
        return min(self._asked or processors, processors)

    def start(self, workers: int) -> None:
        """Makes so many new ones, in the place of any that there are."""
        self._stop()
        remote = self._ray.remote(num_cpus=1, max_restarts=0)(Actor)
        self._actors = [remote.remote(number, workers) for number in range(workers)]

    def share(self, value: Any) -> Any:
        """Something that is handed to many: it travels once to each machine."""
        return self._ray.put(value)

    def ask(self, worker: int, method: str, *arguments: Any) -> Any:
        """Asks one; the answer stays where it is until somebody needs it."""
        return self._actors[worker].do.remote(method, *arguments)

    def ask_for_parts(self, worker: int, method: str, *arguments: Any) -> list[Any]:
        """The same, where the answer is a list with something for each worker."""
        parts = self._actors[worker].parts.options(num_returns=self.workers).remote(method, *arguments)
        return [parts] if self.workers == 1 else parts

    def answers(self, asked: Sequence[Any]) -> list[Any]:
        """What was answered.

        Raises:
            WorkerLost: somebody cannot answer.
        """
        errors = self._ray.exceptions
        try:
            answered: list[Any] = self._ray.get(list(asked))
        except errors.RayTaskError as error:
            if self._lost():
                raise WorkerLost("a worker died") from error
            raise error.cause from None
        except errors.RayError as error:
            raise WorkerLost("a worker died") from error
        return answered

    def processes(self) -> list[int]:
        """The processes of the workers: for tests, which end one."""
        return [self._ray.get(each.process.remote()) for each in self._actors]

    def close(self) -> None:
        """Ends the workers, and Ray if it is one of this machine."""
        self._stop()
        own = [] if self._own is None else _processes_with(self._own)
        with suppress(Exception):  # whatever Ray says now, it is over
            self._ray.shutdown()
        for each in psutil.wait_procs(own, timeout=_END_SECONDS_MAX)[1]:
            with suppress(psutil.NoSuchProcess):
                each.kill()
        if self._own is not None:
            shutil.rmtree(self._own, ignore_errors=True)

    def _stop(self) -> None:
        for each in self._actors:
            with suppress(Exception):  # one that has died cannot be ended
                self._ray.kill(each)
        self._actors = []

    def _lost(self) -> bool:
        """Whether some worker does not answer any more."""
        try:
            self._ray.get([each.process.remote() for each in self._actors], timeout=_REPLY_SECONDS_MAX)
        except self._ray.exceptions.RayError:
            return True
        return False


@contextmanager
def _signals_kept() -> Iterator[None]:
    """Ray puts a handler of its own in the place of the one for SIGTERM, which ends the process; after this all is as before."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def _processes_with(folder: str) -> list[psutil.Process]:
    """The processes of this one's Ray, which have been told its `folder`; workers have not, but end with them."""
    return [each for each in psutil.Process().children(recursive=True) if folder in " ".join(_arguments(each))]


def _arguments(process: psutil.Process) -> list[str]:
    try:
        arguments: list[str] = process.cmdline()
    except psutil.Error:
        return []
    return arguments


def own_folders(process: int | str) -> list[str]:
    """The folders of the Rays that a process has started, if they are still there; `process` may be a pattern."""
    return glob(os.path.join(_short_folder() or tempfile.gettempdir(), f"{_prefix(process)}*"))


def _remove_left_behind() -> None:
    """The folders of Rays whose processes were killed."""
    for process in {int(found[1]) for each in own_folders("[0-9]*") if (found := re.search(r"pmmc([0-9]+)-[^/]*$", each))}:
        if not psutil.pid_exists(process):
            for folder in own_folders(process):
                shutil.rmtree(folder, ignore_errors=True)


def _prefix(process: int | str) -> str:
    return f"pmmc{process}-"


def _short_folder() -> str | None:
    """Where a path is short enough for sockets, whatever TMPDIR says."""
    return "/tmp" if os.path.isdir("/tmp") and os.access("/tmp", os.W_OK) else None
