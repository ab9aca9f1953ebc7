"""`simulate`: random runs of the protocol, as traces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any, Literal

from pmmc_check.api.options import Roles
from pmmc_check.api.roles import role_classes
from pmmc_check.errors import UsageError
from pmmc_check.model.calls import checked
from pmmc_check.protocol import Protocol, variant
from pmmc_check.protocol.variants.catalogue import protocol_with
from pmmc_check.trace.convert import WRITERS
from pmmc_check.trace.errors import Unfit
from pmmc_check.trace.events import ALL, KINDS, NOTHING, Contract, Header, partial
from pmmc_check.trace.header import HeaderBuilder
from pmmc_check.validation.simulate import Plan, Simulation, complete_logs, thinned

LETTERS = {"replicas": "R", "leaders": "L", "acceptors": "A", "clients": "C"}
"""Processes of a simulated run are called R1, R2, ..., L1, ..."""


@dataclass(frozen=True)
class SimulatedRun:
    """A trace. `events` of the run were simulated, which may be fewer than were asked for, where nothing could happen any more."""

    text: str
    events: int
    seed: int

    def write(self, path: str | PathLike[str]) -> Path:
        """Writes the trace, and returns its path."""
        target = Path(path)
        target.write_text(self.text, encoding="utf-8")
        return target

    def to_json(self) -> dict[str, Any]:
        """As dictionaries and lists."""
        return {"seed": self.seed, "events": self.events, "text": self.text}


def simulate(
    *,
    seed: int = 1,
    acceptors: int = 3,
    leaders: int = 2,
    replicas: int = 2,
    clients: int = 2,
    commands: int = 8,
    window: int = 5,
    quorum1: int | None = None,
    quorum2: int | None = None,
    events: int = 1000,
    network: Sequence[str] = ("lossy",),
    contract: Sequence[str] = (),
    own_logs: bool = False,
    loss_rate: float = 0.1,
    duplication_rate: float = 0.2,
    crash_rate: float = 0.0,
    reconfiguration_rate: float = 0.0,
    variants: Sequence[str] = (),
    roles: Roles = (),
    format: Literal["dsl", "jsonl"] = "dsl",
) -> SimulatedRun:
    """A random run, the same for the same options on every machine; they are the command's (`pmmc-check simulate --help`).

    Raises:
        UsageError: an option is wrong.
        ProtocolError: a role breaks its contract.
    """
    sizes = {"replicas": replicas, "leaders": leaders, "acceptors": acceptors, "clients": clients}
    rates: dict[str, Any] = {
        "loss_rate": loss_rate,
        "duplication_rate": duplication_rate,
        "crash_rate": crash_rate,
        "reconfiguration_rate": reconfiguration_rate,
    }
    check_plan(rates, {"events": events, "commands": commands})
    if format not in WRITERS:
        raise UsageError(f"--format {format}: expected one of {', '.join(WRITERS)}")
    quorums = {"quorum1": quorum1, "quorum2": quorum2}
    header = simulated_header(sizes, quorums, window, network, contract, silent_crashes=crash_rate > 0)
    header = replace(header, meta=(("seed", str(seed)),))
    protocol = protocol_to_simulate(protocol_with(variants), variant(*role_classes("roles", roles), base=protocol_with(variants)))
    plan = Plan(
        header=replace(header, logs=complete_logs(header)),
        seed=seed,
        events=events,
        commands=commands,
        own_logs=own_logs,
        protocol=protocol,
        **rates,
    )
    walk = Simulation(plan)
    recorded = thinned(walk.events(), header.contract, walk.names)
    writer = WRITERS[format](walk.values)
    lines = [*writer.header(header), *map(writer.item, recorded)]
    return SimulatedRun("".join(f"{line}\n" for line in lines), walk.made, seed)


def protocol_to_simulate(stock: Protocol, protocol: Protocol) -> Protocol:
    """`protocol` with each call of what is not in `stock` checked."""
    return {name: role if role is stock[name] else checked(role) for name, role in protocol.items()}


def check_plan(rates: Mapping[str, float], counts: Mapping[str, int]) -> None:
    """Refuses what cannot be simulated.

    Raises:
        UsageError: a rate is no probability, or a count is below 1.
    """
    for name, rate in rates.items():
        if not 0 <= rate <= 1:
            raise UsageError(f"--{name.replace('_', '-')}: must be between 0 and 1")
    for name, count in counts.items():
        if count < 1:
            raise UsageError(f"--{name}: must be at least 1")


def simulated_header(
    sizes: Mapping[str, int],
    quorums: Mapping[str, int | None],
    window: int,
    network: Sequence[str],
    contract: Sequence[str],
    *,
    silent_crashes: bool,
) -> Header:
    """The header of a simulated trace. `quorums`: `quorum1` and `quorum2`, None for majorities. `silent_crashes`: processes may crash, also
    those without a log.

    Raises:
        UsageError: an option is wrong.
    """
    builder = HeaderBuilder()
    try:
        for setting, letter in LETTERS.items():
            count = sizes[setting]
            if not 1 <= count <= 1000:
                raise UsageError(f"--{setting} {count}: must be between 1 and 1000")
            builder.set(setting, tuple(f"{letter}{number}" for number in range(1, count + 1)))
        builder.set("window", window)
        for name, quorum in quorums.items():
            if quorum is not None:
                builder.set(name, quorum)
        builder.set("network", tuple(network))
        builder.set("application", "log")
        header = replace(builder.configuration("the run"), logs={})
        logs = dict(complete_logs(header))
        for text in contract:
            _contract(text, logs)
        silent = silent_crashes and NOTHING in logs.values()
        return replace(header, logs=logs, restarts="any" if silent else "logged")
    except Unfit as unfit:
        raise UsageError(unfit.problem) from None


def _contract(text: str, logs: dict[str, Contract]) -> None:
    names, equals, promised = text.partition("=")
    matching = [name for name in logs for each in names.split(",") if name == each or (each.endswith("*") and name.startswith(each[:-1]))]
    kinds = frozenset(promised.split(","))
    if not equals or not matching or (promised not in ("complete", "none") and not kinds <= set(KINDS)):
        raise UsageError(
            f"--contract {text}: expected NAMES=complete, =none or =kinds, names of {', '.join(logs)}, kinds of {', '.join(KINDS)}"
        )
    for name in matching:
        logs[name] = ALL if promised == "complete" else NOTHING if promised == "none" else partial(kinds)
