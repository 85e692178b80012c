"""The merge methods one may declare: an explicit table of what each takes. Meaning: mergekit 0.1.5's."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class Method:
    """What a merge method takes.

    `base`: whether `base_model` is required, or has no meaning. `inputs`: least and most models listed (for slerp the
    base is one of the two). `each` and `shared` name the parameters of one model and of the whole merge; a name in
    `required` must be given. `seeded`: draws random numbers, so that the recipe must hold a seed.
    """

    name: str
    paper: str
    base: Literal["required", "refused"]
    inputs: tuple[int, int | None]
    each: frozenset[str] = field(default=frozenset())
    shared: frozenset[str] = field(default=frozenset())
    required: frozenset[str] = field(default=frozenset())
    seeded: bool = False


_TASK_VECTOR = frozenset({"normalize", "lambda", "rescale", "int8_mask"})


def _vectors(name: str, paper: str, *each: str, seeded: bool = False) -> Method:
    """A method on task vectors (expert minus base), each with a weight."""
    return Method(
        name, paper, "required", (1, None), frozenset({"weight", *each}), _TASK_VECTOR, frozenset({"weight"}), seeded
    )


METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        Method(
            "linear",
            "Model soups, Wortsman et al. 2022, arXiv 2203.05482",
            "refused",
            (2, None),
            frozenset({"weight"}),
            frozenset({"normalize"}),
            frozenset({"weight"}),
        ),
        Method(
            "slerp", "Shoemake 1985", "required", (2, 2), shared=frozenset({"t"}), required=frozenset({"t"})
        ),
        _vectors("task_arithmetic", "Ilharco et al. 2023, arXiv 2212.04089"),
        _vectors("ties", "Yadav et al. 2023, arXiv 2306.01708", "density"),
        _vectors("dare_linear", "Yu et al. 2024, arXiv 2311.03099", "density", seeded=True),
        _vectors("dare_ties", "Yu et al. 2024, arXiv 2311.03099", "density", seeded=True),
        _vectors("breadcrumbs", "Davari & Belilovsky 2024, arXiv 2312.06795", "density", "gamma"),
        _vectors("breadcrumbs_ties", "Davari & Belilovsky 2024, arXiv 2312.06795", "density", "gamma"),
    )
}  # fmt: skip

RANGES: dict[str, tuple[float, float]] = {
    "t": (0.0, 1.0),
    "density": (0.0, 1.0),
    "gamma": (0.0, 1.0),
}
"""Closed ranges of the numeric parameters that have one."""
