"""Every method that has a kernel here, by mergekit's name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from workbench.merging.kernels import averages, masks, spheres, vectors
from workbench.merging.kernels.group import Group
from workbench.merging.kernels.passes import Passes

Settings = Mapping[str, Any]
Kernel = Callable[[Passes, Group, Settings, Sequence[Settings], Any], bool]
"""(passes, group, shared settings, settings of each model, out) -> whether the result is finite."""

KERNELS: Mapping[str, Kernel] = {
    "linear": averages.linear,
    "slerp": spheres.slerp,
    "nuslerp": spheres.nuslerp,
    "multislerp": spheres.multislerp,
    "karcher": spheres.karcher,
    "task_arithmetic": vectors.task_arithmetic,
    "ties": vectors.ties,
    "dare_linear": vectors.dare_linear,
    "dare_ties": vectors.dare_ties,
    "breadcrumbs": vectors.breadcrumbs,
    "breadcrumbs_ties": vectors.breadcrumbs_ties,
    "della": vectors.della,
    "della_linear": vectors.della_linear,
    "model_stock": averages.model_stock,
    "sce": masks.sce,
    "arcee_fusion": masks.arcee_fusion,
    "passthrough": averages.passthrough,
}
