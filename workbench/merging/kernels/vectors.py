"""Task arithmetic and what grew from it: sparsify each task vector, weigh it, agree on signs, add it to the base.

task_arithmetic (Ilharco et al. 2023), ties (Yadav et al. 2023), dare_linear and dare_ties (Yu et al. 2024), breadcrumbs
and breadcrumbs_ties (Davari & Belilovsky 2024), della and della_linear (Deep et al. 2024), as mergekit 0.1.5 has them:
every density is a share of one tensor, signs are elected on weighted task vectors. `variant` "paper" departs from it
where its own paper does (specs/methods.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np

from workbench.merging.kernels.draws import below, key_of
from workbench.merging.kernels.group import Group, Kind
from workbench.merging.kernels.passes import (
    ONE,
    All,
    Band,
    Draw,
    Keep,
    Magnitude,
    Mix,
    Nothing,
    Part,
    Passes,
    Ranked,
    Score,
)

Settings = Mapping[str, Any]
Sparsifier = Callable[[Passes, Group, int, Settings], Keep]
"""(passes, group, model, settings of the merge and the model) -> what stays of that model's task vector."""

DECIDE = ("density", "gamma", "epsilon", "variant", "threshold")
"""Settings that decide what stays; with the seed for methods that draw."""


def magnitude(passes: Passes, group: Group, i: int, settings: Settings) -> Keep:
    """TIES: the k = max(1, int(density * n)) largest stay; of equal ones at the border, the first.

    In the paper's variant all that reach `threshold`, which is found over the whole model (trim.py).
    """
    density, n = settings["density"], group.n
    if density >= 1:
        return All()
    if density <= 0:
        return Nothing()
    if "threshold" in settings:
        return Band(settings["threshold"], 0, n)
    return largest(passes, group, Magnitude(i), max(1, int(density * n)))


def largest(passes: Passes, group: Group, score: Score, k: int) -> Band:
    """The k elements of the largest score; of equal ones at the border, the first. Of zeros all: they add nothing."""
    (at,) = passes.positions(group, score, [group.n - k])
    if at.key == 0:
        return Band(0, 0, group.n)
    wanted = k - (group.n - at.before - at.equal)
    return Band(at.key, 0, group.n if wanted == at.equal else at.nth(wanted - 1) + 1)


def magnitude_outliers(passes: Passes, group: Group, i: int, settings: Settings) -> Keep:
    """BreadCrumbs: int(density * n) stay, below the int(gamma * n) largest and above the rest, in ascending order."""
    density, n = settings["density"], group.n
    if density >= 1:
        return All()
    keep, top = int(density * n), int(settings["gamma"] * n)
    if keep <= 0:
        return Nothing()
    bottom = max(0, n - keep - top)
    low, *high = passes.positions(group, Magnitude(i), [bottom] if bottom + keep >= n else [bottom, bottom + keep])
    first = low.nth(bottom - low.before) if low.key else 0  # which zeros stay changes nothing
    if not high:
        return Band(low.key, first, n)
    return Band(low.key, first, n, high[0].key, high[0].nth(bottom + keep - high[0].before) if high[0].key else n)


def random(passes: Passes, group: Group, i: int, settings: Settings) -> Keep:
    """DARE: every element stays with probability density."""
    density = settings["density"]
    return All() if density >= 1 else Draw(int(below(density)), _key(group, i, settings))


def della_magprune(passes: Passes, group: Group, i: int, settings: Settings) -> Keep:
    """DELLA: probability to stay from density - epsilon to density + epsilon, rising with the rank in its row.

    In the paper's variant what stays is divided by its own probability.
    """
    density, epsilon = settings["density"], settings["epsilon"]
    if density >= 1:
        return All()
    if density <= 0:
        return Nothing()
    count = group.ranked
    share = np.arange(count) / (count - 1) if count > 1 else np.array([0.5])  # where mergekit divides by zero
    stays = (density - epsilon) + share * 2 * epsilon
    scales = (1 / stays).astype(np.float32) if settings["variant"] == "paper" else None
    ranks = group.memo((*group.about(i), "ranks"), lambda: passes.ranks(group, i))
    return Ranked(ranks, below(stays), scales, _key(group, i, settings))


def _key(group: Group, i: int, settings: Settings) -> int:
    return key_of(int(settings["seed"] or 0), group.name, group.models[i].expert)


def task_vectors(
    sparsifier: Sparsifier | None, consensus: bool
) -> Callable[[Passes, Group, Settings, Sequence[Settings], Any], bool]:
    """The method that sparsifies with `sparsifier` and elects signs when there is `consensus`."""

    def merge(passes: Passes, group: Group, shared: Settings, each: Sequence[Settings], out: Any) -> bool:
        parts = [_part(passes, group, i, sparsifier, shared, settings) for i, settings in enumerate(each)]
        weights = np.array([settings["weight"] for settings in each], np.float32)
        scale = np.float32(shared["lambda"])
        divisor: np.float32 | None = ONE
        if shared["normalize"]:
            total = np.float32(weights.sum(dtype=np.float32))
            divisor = None if consensus else (total if abs(total) >= 1e-8 else ONE)
        elect: Literal["none", "weighted", "plain"] = "none"
        if consensus:
            elect = "plain" if shared["variant"] == "paper" else "weighted"
        return passes.mix(group, parts, Mix(elect, divisor, scale=scale), out)

    return merge


def _part(passes: Passes, group: Group, i: int, sparsifier: Sparsifier | None, shared: Settings, own: Settings) -> Part:
    model, weight = group.models[i], np.float32(own["weight"])
    if sparsifier is None or model.kind == Kind.ZERO:
        return Part(All(), ONE, weight)
    settings = {**shared, **own}
    decide = DECIDE if sparsifier in (magnitude, magnitude_outliers) else (*DECIDE, "seed")
    rule = (*group.about(i), sparsifier.__name__, *(settings.get(name) for name in decide))
    keep = group.memo(rule, lambda: sparsifier(passes, group, i, settings))
    if isinstance(keep, All | Nothing):
        return Part(keep, ONE, weight)
    if settings["variant"] == "paper" and isinstance(keep, Draw | Ranked):
        return Part(keep, np.float32(1 / settings["density"]) if isinstance(keep, Draw) else ONE, weight)
    if not shared["rescale"]:
        return Part(keep, ONE, weight)
    before, after = group.memo((*rule, "l1"), lambda: passes.l1(group, i, keep))
    return Part(keep, ONE if before < 1e-7 or after < 1e-7 else np.float32(before / after), weight)


task_arithmetic = task_vectors(None, consensus=False)
ties = task_vectors(magnitude, consensus=True)
dare_linear = task_vectors(random, consensus=False)
dare_ties = task_vectors(random, consensus=True)
breadcrumbs = task_vectors(magnitude_outliers, consensus=False)
breadcrumbs_ties = task_vectors(magnitude_outliers, consensus=True)
della = task_vectors(della_magprune, consensus=True)
della_linear = task_vectors(della_magprune, consensus=False)
