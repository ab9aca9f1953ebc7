"""Tables made again: the roles are asked once more for all that a search had asked them before it was stopped.

A checkpoint does not hold what views consist of. It holds, in order, which table entries were filled: a view's steps, or what a bundle
does to a view. Filling them again in this order, each named by digests of content, gives the same tables, with everything that was learnt
on the way: claims that were checked, steps that failed, what no role ever did. And it proves that the roles still answer as they did: a
digest of all entries must be the same. (So a change in a module which a role imports is noticed, too, if it changes what was used.)"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from pmmc_check.checker import chains
from pmmc_check.checker.tables import NOT_FILLED, Tables
from pmmc_check.errors import UsageError
from pmmc_check.model.content import Digest, Digests, mix, text_digest

FilledEntries = NDArray[np.uint64]
"""One row an entry, in the order in which they were filled: the view's digest, and the bundle's or `OWN_STEPS` for the view's steps."""

OWN_STEPS = 0
_LOOK_EVERY = 64
_WEIGHTS = [np.uint64(text_digest(f"table entry {part}") | 1) for part in range(6)]


class OtherAnswers(UsageError):
    """The roles do not answer as they did when a checkpoint was written."""


def view_digests(tables: Tables) -> Digests:
    """A digest of each view's content and process."""
    digests: Digests = tables.fingerprints.data[: tables.fingerprints.size, 0].copy()
    return digests


def filled_entries(tables: Tables) -> FilledEntries:
    """All entries that were filled by now."""
    content = Digest()
    views, bundles = view_digests(tables), _bundle_digests(tables, content)
    filled = np.array(tables.filled, np.int64).reshape(-1, 2)
    entries = np.zeros(filled.shape, np.uint64)
    entries[:, 0] = views[filled[:, 0]]
    received = filled[:, 1] >= 0
    entries[received, 1] = bundles[filled[received, 1]]
    return entries


def fill_again(tables: Tables, entries: FilledEntries, expected: int, stopped: Callable[[], str | None]) -> str | None:
    """Fills the entries again; returns what has stopped it, if anything. `expected` is the digest of all of them.

    Raises:
        OtherAnswers: the roles now answer otherwise.
        ProtocolError: a role breaks its contract.
    """
    numbers = _Numbers(tables)
    for number, (view, bundle) in enumerate(entries.tolist()):
        if number % _LOOK_EVERY == 0 and (limit := stopped()):
            return limit
        if bundle == OWN_STEPS:
            tables.fill_view(numbers.of_view(view))
        else:
            tables.fill_receive(numbers.of_view(view), numbers.of_bundle(bundle))
    if digest_of_entries(tables) != expected:
        raise otherwise()
    return None


class _Numbers:
    """The numbers of views and bundles by their digests."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._content = Digest()
        self._views: dict[int, int] = {}
        self._bundles: dict[int, int] = {}

    def of_view(self, digest: int) -> int:
        if digest not in self._views:
            first = len(self._views)
            new = self._tables.fingerprints.data[first : self._tables.fingerprints.size, 0]
            self._views.update(zip(new.tolist(), range(first, first + len(new)), strict=True))
        return self._found(digest, self._views)

    def of_bundle(self, digest: int) -> int:
        for bundle in range(len(self._bundles), len(self._tables.locals.bundles) if digest not in self._bundles else 0):
            self._bundles[_bundle_digest(self._tables, bundle, self._content)] = bundle
        return self._found(digest, self._bundles)

    @staticmethod
    def _found(digest: int, numbers: dict[int, int]) -> int:
        if digest not in numbers:
            raise otherwise()
        return numbers[digest]


def digest_of_entries(tables: Tables) -> int:
    """A digest of the contents of all entries, whatever their order."""
    views, bundles = view_digests(tables), _bundle_digests(tables, Digest())
    total = _digest_of_steps(tables, views, bundles)
    filled = np.array([each for each in tables.filled if each[1] >= 0], np.int64).reshape(-1, 2)
    after = np.array([tables.receive(view, bundle) for view, bundle in filled.tolist()], np.int64)
    after_digests = np.where(after == chains.REFUSED, np.uint64(1), views[np.maximum(after, 0)]) if len(after) else np.zeros(0, np.uint64)
    received = mix(views[filled[:, 0]] * _WEIGHTS[0] + bundles[filled[:, 1]] * _WEIGHTS[1] + after_digests * _WEIGHTS[2])
    return (total + int(received.sum(dtype=np.uint64))) % 2**64


def _digest_of_steps(tables: Tables, views: Digests, bundles: Digests) -> int:
    ranges = tables.step_range.data[: tables.step_range.size].astype(np.int64)
    filled = np.flatnonzero(ranges[:, 0] != NOT_FILLED)
    lengths = ranges[filled, 1] - ranges[filled, 0]
    acting = np.repeat(views[filled], lengths)
    order = np.concatenate([np.arange(first, last) for first, last in ranges[filled].tolist()] or [np.zeros(0, np.int64)]).astype(np.int64)
    items = tables.item_bundle.size
    sent = mix(
        bundles[tables.item_bundle.data[:items]] * _WEIGHTS[0] + tables.item_process.data[:items].astype(np.uint64) * _WEIGHTS[1]
    ) if items else np.zeros(0, np.uint64)  # fmt: skip
    sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(sent, dtype=np.uint64)])
    first, last = tables.step_items.data[order].astype(np.int64).T
    what = tables.step_weight.data[order].astype(np.uint64) * np.uint64(2) + tables.step_halts.data[order]
    after = views[tables.step_view.data[order]] * _WEIGHTS[3]
    steps = mix(acting * _WEIGHTS[2] + after + (sums[last] - sums[first]) * _WEIGHTS[4] + what * _WEIGHTS[5])
    broken = mix(views[filled] ^ (tables.broken.data[filled].astype(np.uint64) * _WEIGHTS[5]))
    return int(steps.sum(dtype=np.uint64)) + int(broken.sum(dtype=np.uint64))


def _bundle_digests(tables: Tables, content: Digest) -> Digests:
    return np.array([_bundle_digest(tables, bundle, content) for bundle in range(len(tables.locals.bundles))], np.uint64)


def _bundle_digest(tables: Tables, bundle: int, content: Digest) -> int:
    model, messages = tables.model, tables.locals.messages
    items = tuple((model.processes[sender], messages[message]) for sender, message in tables.locals.bundles[bundle])
    return int(content.of(items)[0]) | 1


def otherwise() -> OtherAnswers:
    """The error that says so."""
    return OtherAnswers(
        "the roles answer otherwise than when the checkpoint was written; undo what was changed in them or in what they import, "
        "or begin again with --checkpoint and another folder"
    )
