"""The fingerprint of a state, compiled: what all its images under renamings have in common."""

from __future__ import annotations

from typing import Any

import numpy as np

from pmmc_check.checker.compilation import kernel, uint64


@kernel
def canonical(images: Any) -> Any:
    """A fingerprint that all images of a state have in common: a mixture of the least and the greatest.

    (The least alone would do, but it is small for every state, so different states would collide more often.) Never 0,
    which marks an empty place.
    """
    least = images[0]
    greatest = images[0]
    for g in range(1, images.shape[0]):
        least = min(least, images[g])
        greatest = max(greatest, images[g])
    mixed = (least ^ (least >> uint64(32))) * uint64(0xD6E8FEB86659FD93)
    mixed ^= mixed >> uint64(29)
    if images.shape[0] > 1:
        mixed = (mixed + greatest) * uint64(0x9E3779B97F4A7C15)
        mixed ^= mixed >> uint64(32)
    return mixed if mixed != uint64(0) else uint64(1)


@kernel
def state_fingerprints(vectors: Any, fingerprints: Any, out: Any) -> None:
    """The canonical fingerprint of each state."""
    images = np.empty(fingerprints.shape[1], np.uint64)
    for i in range(vectors.shape[0]):
        for g in range(images.shape[0]):
            images[g] = uint64(0)
        for p in range(vectors.shape[1]):
            for g in range(images.shape[0]):
                images[g] ^= fingerprints[vectors[i, p], g]
        out[i] = canonical(images)
