"""Task arithmetic and what grew from it: sparsify each task vector, weigh it, agree on signs, add it to the base.

task_arithmetic (Ilharco et al. 2023), ties (Yadav et al. 2023), dare_linear and dare_ties (Yu et al. 2024), breadcrumbs
and breadcrumbs_ties (Davari & Belilovsky 2024), della and della_linear (Deep et al. 2024), as mergekit 0.1.5 has them:
every density is a share of one tensor, signs are elected on weighted task vectors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np

from workbench.merging.kernels.draws import below, key_of
from workbench.merging.kernels.group import Group, Kind
from workbench.merging.kernels.passes import (
    All,
    Band,
    Draw,
    Keep,
    Magnitude,
    Mix,
    Nothing,
    Part,
    Passes,
    Score,
)

Settings = Mapping[str, Any]
Sparsifier = Callable[[Passes, Group, int, Settings, int], Keep]


def magnitude(passes: Passes, group: Group, i: int, settings: Settings, seed: int) -> Keep:
    """TIES: the k = max(1, int(density * n)) largest stay; of equal ones at the border, the first."""
    density, n = settings["density"], group.n
    if density >= 1:
        return All()
    if density <= 0:
        return Nothing()
    k = max(1, int(density * n))
    return largest(passes, group, Magnitude(i), k)


def largest(passes: Passes, group: Group, score: Score, k: int) -> Band:
    """The k elements of the largest score; of equal ones at the border, the first."""
    (at,) = passes.positions(group, score, [group.n - k])
    wanted = k - (group.n - at.before - at.equal)
    return Band(at.key, 0, group.n if wanted == at.equal else at.nth(wanted - 1) + 1)


def magnitude_outliers(passes: Passes, group: Group, i: int, settings: Settings, seed: int) -> Keep:
    """BreadCrumbs: int(density * n) stay, below the int(gamma * n) largest and above the rest, in ascending order."""
    density, n = settings["density"], group.n
    if density >= 1:
        return All()
    keep, top = int(density * n), int(settings["gamma"] * n)
    if keep <= 0:
        return Nothing()
    bottom = max(0, n - keep - top)
    low, *high = passes.positions(group, Magnitude(i), [bottom] if bottom + keep >= n else [bottom, bottom + keep])
    first = low.nth(bottom - low.before)
    if not high:
        return Band(low.key, first, n)
    return Band(low.key, first, n, high[0].key, high[0].nth(bottom + keep - high[0].before))


def random(passes: Passes, group: Group, i: int, settings: Settings, seed: int) -> Keep:
    """DARE: every element stays with probability density."""
    density = settings["density"]
    if density >= 1:
        return All()
    return Draw(below(density), key_of(seed, group.name, group.models[i].expert))


def della_magprune(passes: Passes, group: Group, i: int, settings: Settings, seed: int) -> Keep:
    """DELLA: probability to stay from density - epsilon to density + epsilon, rising with the rank in its row."""
    density, epsilon, columns = settings["density"], settings["epsilon"], group.columns
    if density >= 1:
        return All()
    if density <= 0:
        return Nothing()
    share = np.arange(columns) / max(columns - 1, 1)
    bounds = np.array([below(p) for p in (density - epsilon) + share * 2 * epsilon], np.uint32)
    key = key_of(seed, group.name, group.models[i].expert)
    return passes.rank_mask(group, i, bounds, key)


def task_vectors(
    sparsifier: Sparsifier | None, consensus: bool
) -> Callable[[Passes, Group, Settings, Sequence[Settings], Any], bool]:
    """The method that sparsifies with `sparsifier` and elects signs when there is `consensus`."""

    def merge(passes: Passes, group: Group, shared: Settings, each: Sequence[Settings], out: Any) -> bool:
        parts = [_part(passes, group, i, sparsifier, shared, settings) for i, settings in enumerate(each)]
        weights = np.array([settings["weight"] for settings in each], np.float32)
        scale = np.float32(shared["lambda"])
        divisor: np.float32 | None = np.float32(1)
        if shared["normalize"]:
            total = np.float32(weights.sum(dtype=np.float32))
            divisor = None if consensus else (total if abs(total) >= 1e-8 else np.float32(1))
        elect: Literal["none", "weighted", "plain"] = "none"
        if consensus:
            elect = "plain" if shared.get("variant") == "paper" else "weighted"
        return passes.mix(group, parts, Mix(elect, divisor, scale=scale), out)

    return merge


def _part(
    passes: Passes, group: Group, i: int, sparsifier: Sparsifier | None, shared: Settings, settings: Settings
) -> Part:
    model, weight = group.models[i], np.float32(settings["weight"])
    if sparsifier is None or model.kind == Kind.ZERO:
        return Part(All(), np.float32(1), weight)
    seed = int(shared.get("seed") or 0)
    rule = (sparsifier.__name__, seed, *sorted((k, v) for k, v in settings.items() if k != "weight"))
    keep = group.memo((group.name, model.expert, rule), lambda: sparsifier(passes, group, i, settings, seed))
    if not shared["rescale"] or isinstance(keep, All | Nothing):
        return Part(keep, np.float32(1), weight)
    before, after = group.memo((group.name, model.expert, rule, "l1"), lambda: passes.l1(group, i, keep))
    ratio = np.float32(1) if before < 1e-7 or after < 1e-7 else np.float32(before / after)
    return Part(keep, ratio, weight)


task_arithmetic = task_vectors(None, consensus=False)
ties = task_vectors(magnitude, consensus=True)
dare_linear = task_vectors(random, consensus=False)
dare_ties = task_vectors(random, consensus=True)
breadcrumbs = task_vectors(magnitude_outliers, consensus=False)
breadcrumbs_ties = task_vectors(magnitude_outliers, consensus=True)
della = task_vectors(della_magprune, consensus=True)
della_linear = task_vectors(della_magprune, consensus=False)
