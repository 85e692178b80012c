"""Methods that choose elements by a score over all models: sce (Wan et al. 2024), arcee_fusion (Goddard et al.)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from workbench.merging.kernels.group import Group
from workbench.merging.kernels.passes import (
    All,
    Band,
    Importance,
    Keep,
    Mix,
    Nothing,
    Part,
    Passes,
    Variance,
    float_of_key,
    key_of_float,
)
from workbench.merging.kernels.vectors import largest

Settings = Mapping[str, Any]


def sce(passes: Passes, group: Group, shared: Settings, each: Sequence[Settings], out: Any) -> bool:
    """Select by variance, calculate weights from squares, erase minority signs."""
    share = float(shared["select_topk"])
    count = len(group.models)
    keep = group.memo((*group.about_all, "sce", share), lambda: _select(passes, group, share))
    if isinstance(keep, Nothing):
        squares = [0.0] * count
    else:
        squares = group.memo(
            (*group.about_all, "sce", share, "squares"),
            lambda: [passes.squares(group, i, keep) for i in range(count)],
        )
    means = np.array(squares) / max(group.n, 1)
    total = means.sum()
    weights = np.full(count, 1 / count) if abs(total) < 1e-6 else means / total
    parts = [Part(keep, np.float32(1), np.float32(w)) for w in weights]
    return passes.mix(group, parts, Mix("plain", None, floor=np.float32(1e-6)), out)


def _select(passes: Passes, group: Group, share: float) -> Keep:
    if share >= 1:
        return All()
    if share <= 0:
        return Nothing()
    n = group.n
    (smallest,) = passes.positions(group, Variance(), [0])
    nonzero = n - (smallest.equal if smallest.key == 0 else 0)
    k = int(nonzero * share)
    if k == 0:
        return Nothing()
    return passes.mask_of(group, Variance(), largest(passes, group, Variance(), k))


def arcee_fusion(passes: Passes, group: Group, shared: Settings, each: Sequence[Settings], out: Any) -> bool:
    """The other model where |difference| * KL of its row reaches median + 1.5 interquartile ranges, the base elsewhere.

    Quartiles are exact; mergekit takes them from a random sample above a million elements.
    """
    keep = group.memo((*group.about(0), "fusion"), lambda: _important(passes, group))
    parts = [Part(keep, np.float32(1), np.float32(1))]
    return passes.mix(group, parts, Mix(), out)


def _important(passes: Passes, group: Group) -> Keep:
    score = Importance(passes.divergence(group))
    ranks = [int(np.float32(q) * np.float32(group.n - 1)) for q in (0.25, 0.5, 0.75)]
    low, median, high = (float_of_key(position.key) for position in passes.positions(group, score, ranks))
    threshold = np.float32(median + np.float32(1.5) * (high - low))
    return passes.mask_of(group, score, Band(key_of_float(threshold), 0, group.n))
