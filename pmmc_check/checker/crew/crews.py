"""How the head of a crew talks to its workers: all in this process, or each an actor of Ray."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from pmmc_check.checker.crew.worker import Worker


class WorkerLost(Exception):
    """A worker has died, with what it knew."""


class Crew(Protocol):
    """Workers that are asked by name of a method; what they answer may be handed on to others without being looked at."""

    @property
    def workers(self) -> int:
        """How many there are."""

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

    def __init__(self, workers: int) -> None:
        self._wanted = workers
        self._workers: list[Worker] = []

    @property
    def workers(self) -> int:
        """How many there are."""
        return len(self._workers)

    def wanted(self) -> int:
        """As many as it was made with."""
        return self._wanted

    def start(self, workers: int) -> None:
        """Makes new ones."""
        self._workers = [Worker(number, workers) for number in range(workers)]

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


def exchange(crew: Crew, ask: str, answer: str, take: str, asked: Sequence[Any], answered: Sequence[Any], taken: Sequence[Any]) -> list[Any]:
    """Each worker says something to each; each answers all, in the order of the workers; each takes in the answers. Returns what the last says.

    The sequences are the arguments of the three methods that come first.
    """
    everyone = range(crew.workers)
    said = [crew.ask_for_parts(each, ask, *asked) for each in everyone]
    replies = [crew.ask_for_parts(owner, answer, *answered, *(said[each][owner] for each in everyone)) for owner in everyone]
    return crew.answers([crew.ask(each, take, *taken, *(replies[owner][each] for owner in everyone)) for each in everyone])
