"""A configuration for TLC: PMMC.tla, which has the same protocol, and the model file that gives it these counts."""

from __future__ import annotations

from importlib.resources import files

from pmmc_check.config import Config

TLA_INVARIANTS = ("Agreement", "Validity", "R2", "R3", "R5", "A4", "A5", "C1", "C2")
TLA_PROPERTIES = ("A1", "A2", "A3", "R4", "R5Leaders")
"""What PMMC.tla states: invariants of states, and properties of steps."""

CHECK_COMMAND = "java -jar tla2tools.jar -workers 1 -deadlock PMMC"
"""How TLC checks it: one worker, so that the depth is exact, and no complaint about runs that end."""


def module_text() -> str:
    """PMMC.tla."""
    return files("pmmc_check.report.exchange").joinpath("PMMC.tla").read_text(encoding="utf-8")


def model_text(config: Config) -> str:
    """PMMC.cfg: the constants, and all that PMMC.tla can check."""
    return "\n".join([
        rf"\* Start TLC in this folder: {CHECK_COMMAND}",
        *constant_lines(config),
        "",
        "SPECIFICATION Spec",
        r"\* What the last step has sent, and what a network has forgotten, are no part of a state.",
        "VIEW View",
        "",
        f"INVARIANTS {' '.join(TLA_INVARIANTS)}",
        f"PROPERTIES {' '.join(TLA_PROPERTIES)}",
        "",
    ])  # fmt: skip


def constant_lines(config: Config) -> list[str]:
    """The constants of PMMC.tla."""
    quorum1, quorum2 = config.quorums
    faulty = ", ".join(f'"{role}"' for role in config.faulty)
    constants = {
        "AcceptorCount": config.acceptors,
        "Quorum1": quorum1,
        "Quorum2": quorum2,
        "LeaderCount": config.leaders,
        "ReplicaCount": config.replicas,
        "SlotCount": config.slots,
        "CommandCount": config.commands,
        "RoundCount": config.rounds,
        "Window": config.window,
        "ReconfigurationCount": config.reconfigurations,
        "Network": f'"{config.network}"',
        "CrashCount": config.crashes,
        "RestartCount": config.restarts,
        "Faulty": "{" + faulty + "}",
    }
    return ["CONSTANTS", *(f"    {name} = {value}" for name, value in constants.items())]
