"""How the head of a crew talks to its workers: all in this process, or each an actor of Ray."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from pmmc_check.checker.crew.worker import CrewWorker


class WorkerLost(Exception):
    """A worker has died, with what it knew."""


class Crew(Protocol):
    """Workers that are asked by name of a method; what they answer may be handed on to others without being looked at."""

    folder: Path | None
    """Where they can write down what each level has brought, so that one that dies can be replaced."""
    elsewhere: bool
    """Whether they have memory of their own."""
    shares_memory: bool
    """Whether that is memory of this machine."""

    @property
    def workers(self) -> int:
        """How many there are."""

    def share(self, value: Any) -> Any:
        """Something that is handed to many, as an argument."""

    def wanted(self) -> int:
        """How many there should be now: more where machines have come, fewer where they have gone."""

    def start(self, workers: int) -> None:
        """Makes so many new ones, in the place of any that there are."""

    def ask(self, worker: int, method: str, *arguments: Any) -> Any:
        """Asks one; the answer is something for `answers`, or an argument."""

    def ask_for_parts(self, worker: int, method: str, *arguments: Any) -> list[Any]:
        """The same, where the answer is a list with something for each worker."""

    def answers(self, asked: Sequence[Any]) -> list[Any]:
        """What was answered.

        Raises:
            WorkerLost: somebody cannot answer.
        """

    def close(self) -> None:
        """Lets all go."""


class WithinProcess:
    """All workers in this process, one after the other: what tests compare with, and a crew of one."""

    elsewhere = shares_memory = False

    def __init__(self, workers: int, folder: Path | None = None) -> None:
        self.folder = folder
        self._wanted = workers
        self._workers: list[CrewWorker] = []

    @property
    def workers(self) -> int:
        """How many there are."""
        return len(self._workers)

    def share(self, value: Any) -> Any:
        """Itself."""
        return value

    def wanted(self) -> int:
        """As many as it was made with."""
        return self._wanted

    def start(self, workers: int) -> None:
        """Makes new ones."""
        self._workers = [CrewWorker(number, workers) for number in range(workers)]

    def ask(self, worker: int, method: str, *arguments: Any) -> Any:
        """The answer itself."""
        return getattr(self._workers[worker], method)(*arguments)

    def ask_for_parts(self, worker: int, method: str, *arguments: Any) -> list[Any]:
        """The answer itself."""
        parts: list[Any] = self.ask(worker, method, *arguments)
        return parts

    def answers(self, asked: Sequence[Any]) -> list[Any]:
        """They are there already."""
        return list(asked)

    def close(self) -> None:
        """Forgets them."""
        self._workers = []


def exchange(crew: Crew, ask: tuple[Any, ...], answer: tuple[Any, ...], take: tuple[Any, ...]) -> list[Any]:
    """Each worker says something to each; each answers all, in the order of the workers; each takes in the answers. Returns the last say.

    Each of the three is a method and its first arguments.
    """
    everyone = range(crew.workers)
    said = [crew.ask_for_parts(each, *ask) for each in everyone]
    replies = [crew.ask_for_parts(owner, *answer, *(said[each][owner] for each in everyone)) for owner in everyone]
    return crew.answers([crew.ask(each, *take, *(replies[owner][each] for owner in everyone)) for each in everyone])
