"""The digests of views and of their images under all renamings, made of the digests of their parts.

A view's digest is the mixed sum of those of its process and state, of what is in its inbox, and of its history. Each of these is computed
once for all views that have it; the sums are made for many views at a time."""

from __future__ import annotations

from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pmmc_check.checker.growing import Growing
from pmmc_check.checker.local_steps import History, LocalSteps, MessageId, StateId
from pmmc_check.model.content import Digests, mix, text_digest
from pmmc_check.model.network import Inbox

_STATE_WEIGHT = np.uint64(text_digest("state") | 1)
_HISTORY_WEIGHT = np.uint64(text_digest("history") | 1)
_PLACE_WEIGHT = np.uint64(text_digest("place") | 1)
_TOGETHER = 1024
"""So many views are digested at once, at most."""

PartNumber = int


class ViewDigests:
    """A row for each view, in the order in which they are appended, with one digest for each renaming."""

    def __init__(self, locals_: LocalSteps) -> None:
        self._locals = locals_
        order = len(locals_.digest.renamings)
        self._rows = Growing(np.uint64, order)
        self._waiting: list[list[PartNumber]] = []
        self._parts = Growing(np.uint64, order)
        self._of_state: dict[StateId, PartNumber] = {}
        self._of_message: dict[tuple[MessageId, Any], PartNumber] = {}
        self._of_past: dict[MessageId, PartNumber] = {}

    @property
    def size(self) -> int:
        """How many views have a row."""
        return self._rows.size + len(self._waiting)

    @property
    def data(self) -> NDArray[Any]:
        """All rows; those from `size` on mean nothing."""
        if self._waiting:
            self._digest()
        return self._rows.data

    def append(self, state: StateId, inbox: Inbox, history: History) -> None:
        """Adds the row of a view.

        Raises:
            ProtocolError: something in it is not built of the types that a state may have.
        """
        parts = [self._part_of_state(state)]
        for place in self._locals.model.network.contents(inbox):
            part = self._of_message.get(place)
            parts.append(self._part_of_message(*place) if part is None else part)
        parts += [self._part_of_past(message) for message in history]
        self._waiting.append(parts)
        if len(self._waiting) == _TOGETHER:
            self._digest()

    def _digest(self) -> None:
        lengths = np.fromiter(map(len, self._waiting), np.int64, len(self._waiting))
        ends = np.cumsum(lengths)
        parts = np.fromiter(chain.from_iterable(self._waiting), np.int64, int(ends[-1]))
        self._rows.extend(mix(np.add.reduceat(self._parts.data[parts], ends - lengths, axis=0)))
        self._waiting.clear()

    def _part_of_state(self, state: StateId) -> PartNumber:
        part = self._of_state.get(state)
        if part is None:
            digest = self._locals.digest
            process, value = self._locals.states[state]
            part = self._of_state[state] = self._part(digest.of(self._locals.model.processes[process]) + digest.of(value) * _STATE_WEIGHT)
        return part

    def _part_of_message(self, message: MessageId, place: Any) -> PartNumber:
        digest = self._locals.digest
        part = self._part(mix(self._locals.message_digests(message) + digest.of(place) * _PLACE_WEIGHT))
        self._of_message[message, place] = part
        return part

    def _part_of_past(self, message: MessageId) -> PartNumber:
        part = self._of_past.get(message)
        if part is None:
            part = self._of_past[message] = self._part(mix(self._locals.message_digests(message) ^ _HISTORY_WEIGHT))
        return part

    def _part(self, digests: Digests) -> PartNumber:
        self._parts.append(digests)
        return self._parts.size - 1
