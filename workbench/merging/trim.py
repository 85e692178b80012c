"""TIES as its paper has it trims over the whole model: one threshold an expert, found before any tensor is merged."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

from workbench.merging.kernels.group import Group
from workbench.merging.kernels.passes import Magnitude, Passes
from workbench.merging.kernels.selection import Pairs, by_histogram


class _Model:
    """The magnitudes of one task vector over all tensors of a model (selection.Keys, as far as histograms go)."""

    def __init__(self, groups: Callable[[], Iterable[Group]], i: int, n: int, passes: Passes) -> None:
        self.n = n
        self._groups = groups
        self._i = i
        self._passes = passes

    def histogram(self, high: int) -> NDArray[np.int64]:
        """Counts over all tensors."""
        total = np.zeros(1 << 16, np.int64)
        for group in self._groups():
            total += self._passes.keys(group, Magnitude(self._i)).histogram(high)
        return total

    def sample(self, stride: int, run: int) -> NDArray[np.uint32]:
        """Not needed: a model is read twice, whatever a sample says."""
        raise NotImplementedError

    def bracket(self, lows: NDArray[np.uint32], highs: NDArray[np.uint32]) -> tuple[NDArray[np.int64], Pairs]:
        """Not needed: all that equal the threshold stay."""
        raise NotImplementedError


def threshold(groups: Callable[[], Iterable[Group]], i: int, n: int, density: float, passes: Passes) -> int:
    """The magnitude (as bits) of the k-th largest of the n elements of task vector i, k = max(1, int(density * n)).

    `groups` reads the model anew at each call.
    """
    (position,) = by_histogram(_Model(groups, i, n, passes), [n - max(1, int(density * n))])
    return position.key
