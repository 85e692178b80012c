"""Weighted sums of whole tensors: linear (Wortsman et al. 2022), model_stock (Jang et al. 2024), passthrough."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.merging.kernels.group import Group
from workbench.merging.kernels.passes import ONE, Factors, Passes

Settings = Mapping[str, Any]


def scalar(value: float) -> Factors:
    """A factor for a whole tensor."""
    return np.full((1, 1), value, np.float32)


def gram_of(passes: Passes, group: Group, about_base: bool, axis: int | None) -> NDArray[np.float64]:
    """`Passes.gram`, or what was remembered of it."""
    key = (*group.about_all, "gram", about_base, axis)
    gram: NDArray[np.float64] = group.memo(key, lambda: passes.gram(group, about_base, axis))
    return gram


def linear(passes: Passes, group: Group, shared: Settings, each: Sequence[Settings], out: Any) -> bool:
    """Sum of weight * x, divided by the sum of weights when normalised."""
    weights = np.array([settings["weight"] for settings in each], np.float32)
    divisor = np.float32(weights.sum(dtype=np.float32)) if shared["normalize"] else ONE
    return passes.combine(group, [scalar(w) for w in weights], False, divisor, out)


def passthrough(passes: Passes, group: Group, shared: Settings, each: Sequence[Settings], out: Any) -> bool:
    """The one input, times `scale` if it is given."""
    scale = each[0]["scale"]
    return passes.combine(group, [scalar(1.0 if scale is None else scale)], False, ONE, out)


def model_stock(passes: Passes, group: Group, shared: Settings, each: Sequence[Settings], out: Any) -> bool:
    """T * mean + (1 - t) * base, t from the mean cosine between task vectors; t is not clamped."""
    count = len(group.models)
    axis = 1 if shared["filter_wise"] else None
    products = gram_of(passes, group, True, axis)
    t = np.atleast_1d(_stock(products, count)).reshape(-1, 1)
    return passes.combine(group, [(t / count).astype(np.float32)] * count, True, ONE, out)


def _stock(products: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """T of each Gram matrix [..., m, m]."""
    norms = np.sqrt(np.diagonal(products, axis1=-2, axis2=-1))
    cosines = [
        np.clip(products[..., a, b] / np.maximum(norms[..., a] * norms[..., b], 1e-6), -1, 1)
        for a, b in combinations(range(count), 2)
    ]
    cosine = np.mean(cosines, axis=0)
    denominator = 1 + (count - 1) * cosine
    singular = np.abs(denominator) < 1e-6  # opposing updates: no finite estimate, the base stays
    t: NDArray[np.float64] = np.where(singular, 0.0, count * cosine / np.where(singular, 1.0, denominator))
    return t
