"""Which searches may be shared out among workers, and the workers."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pmmc_check.api.machine import cores
from pmmc_check.api.options import SearchOptions
from pmmc_check.errors import UsageError
from pmmc_check.properties.invariants import Invariant
from pmmc_check.properties.progress import Progress
from pmmc_check.properties.written import WrittenInvariant

if TYPE_CHECKING:
    from pmmc_check.checker.crew.actors import Actors

_WORKERS_MAX_PER_CORE = 4
"""On one machine. Each is a process of a hundred MiB and more; a thousand of them bring a machine down."""


def shared_out(options: SearchOptions) -> str | None:
    """The option that asks for workers; None where none does."""
    return "--cluster" if options.cluster is not None else "--workers" if options.workers is not None else None


def check_crew(options: SearchOptions, invariants: Sequence[Invariant], constraints: Sequence[WrittenInvariant]) -> None:
    """Whether the search can be shared out as it was asked for.

    Raises:
        UsageError: it cannot.
    """
    option = shared_out(options)
    if option is None:
        if options.recover is not None:
            raise UsageError(f"--recover {options.recover}: only workers write there; add --cluster, or leave --recover out")
        return
    if options.cluster is not None and not re.fullmatch(r"ray://[^/:@]+:[0-9]+", options.cluster):
        raise UsageError(f"--cluster {options.cluster}: expected the address of a Ray cluster, such as ray://host:10001")
    most = max(8, _WORKERS_MAX_PER_CORE * cores())
    if options.cluster is None and (options.workers or 0) > most:
        raise UsageError(f"--workers {options.workers}: each is a process of this machine; give at most {most}, or a cluster (--cluster)")
    progress = next((each.name for each in invariants if isinstance(each, Progress)), None)
    for asked, what, why in (
        (options.engine != "compiled", f"--engine {options.engine}", "workers are for the compiled engine"),
        (options.strategy != "exhaustive", f"--strategy {options.strategy}", "workers are for the exhaustive strategy"),
        (options.threads is not None, f"--threads {options.threads}", "each worker is one thread"),
        (options.checkpoint or options.resume, "--checkpoint and --resume", "workers write for themselves"),
        (options.disk is not None, f"--disk {options.disk}", "workers keep their states in memory"),
        (progress, f"--invariant {progress}", "what is left to decide is looked for in one process"),
        (constraints, "state constraints", "they are looked at in one process"),
    ):
        if asked:
            raise UsageError(f"{option}: it does not go with {what}: {why}; leave one of them out")


def crew_maker(options: SearchOptions) -> Callable[[], Actors]:
    """Makes the workers that the options ask for.

    Raises:
        UsageError: Ray is not installed, or no cluster answers, or the folder cannot be used.
    """

    def made() -> Actors:
        from pmmc_check.checker.crew.actors import Actors  # noqa: PLC0415  # Ray is for those who ask for it

        crew = Actors(options.workers, options.cluster)
        if options.recover is not None:
            crew.folder = Path(options.recover)
            try:
                crew.folder.mkdir(parents=True, exist_ok=True)
                occupied = any(crew.folder.iterdir())
            except OSError as error:
                crew.close()
                raise UsageError(f"--recover {options.recover}: cannot be used: {error.strerror}") from None
            if occupied:
                crew.close()
                raise UsageError(f"--recover {options.recover}: the folder is not empty; give another")
        return crew

    return made
