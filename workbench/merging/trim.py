"""TIES as its paper has it trims over the whole model: one threshold an expert, found before any tensor is merged."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from workbench.merging.kernels.group import Group
from workbench.merging.kernels.passes import Magnitude, Passes
from workbench.merging.kernels.selection import bin_at

Walk = Callable[[], Iterable[Group]]
"""Reads the tensors of a model anew at each call."""


def thresholds(walk: Walk, n: int, densities: Sequence[float], passes: Passes) -> list[int]:
    """For each expert the magnitude (as bits) of the k-th largest of its n elements, k = max(1, int(density * n)).

    The model is walked twice for all experts together: upper bits of the magnitudes, then lower ones.
    """
    ranks = [n - max(1, int(density * n)) for density in densities]
    upper = [bin_at(counts, rank) for counts, rank in zip(_counts(walk, [-1] * len(ranks), passes), ranks, strict=True)]
    found = []
    for counts, rank, (high, smaller) in zip(
        _counts(walk, [high for high, _ in upper], passes), ranks, upper, strict=True
    ):
        low, _ = bin_at(counts, rank - smaller)
        found.append(high << 16 | low)
    return found


def _counts(walk: Walk, highs: Sequence[int], passes: Passes) -> list[NDArray[np.int64]]:
    """Histograms of each expert's magnitudes over all tensors (selection.Keys.histogram)."""
    totals = [np.zeros(1 << 16, np.int64) for _ in highs]
    for group in walk():
        for i, (total, high) in enumerate(zip(totals, highs, strict=True)):
            total += passes.keys(group, Magnitude(i)).histogram(high)
    return totals
