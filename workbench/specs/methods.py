"""The merge methods one may declare: an explicit table of what each takes. Meaning: mergekit 0.1.5's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Value = bool | float | None


@dataclass(frozen=True)
class Required:
    """The default of a parameter that has none."""


REQUIRED = Required()


@dataclass(frozen=True)
class Parameter:
    """One parameter: its default, and the closed range of a number that has one."""

    default: Value | Required
    low: float = float("-inf")
    high: float = float("inf")

    @property
    def required(self) -> bool:
        """Whether it must be given."""
        return isinstance(self.default, Required)


@dataclass(frozen=True)
class Method:
    """What a merge method takes.

    `base`: `base_model` is required, optional, or just one more input. `others`: least and most inputs besides the
    base (for a base that is one more input: in all). `each` and `shared` name the parameters of one model and of the
    whole merge. `seeded`: draws random numbers, so that the recipe must hold a seed. `kernel`: computed by our own
    engine (workbench/merging/kernels); mergekit runs the others. `paper`: may be asked for as the paper has it.
    """

    name: str
    source: str
    base: Literal["required", "optional", "input"]
    others: tuple[int, int | None]
    each: Mapping[str, Parameter] = field(default_factory=dict)
    shared: Mapping[str, Parameter] = field(default_factory=dict)
    seeded: bool = False
    kernel: bool = True
    paper: str | None = None


WEIGHT = {"weight": Parameter(REQUIRED)}
DENSITY = {"density": Parameter(1.0, 0.0, 1.0)}
GAMMA = {"gamma": Parameter(0.01, 0.0, 1.0)}
EPSILON = {"epsilon": Parameter(0.15, 0.0, 0.5)}
INT8_MASK = {"int8_mask": Parameter(False)}
ANY, SOME, TWO, ONE = (1, None), (2, None), (2, 2), (1, 1)


def _vectors(
    name: str, source: str, each: Mapping[str, Parameter], normalize: bool = False, rescale: bool = False,
    seeded: bool = False, paper: str | None = None,
) -> Method:  # fmt: skip
    """A method on task vectors (expert minus base), each with a weight."""
    shared = {
        "normalize": Parameter(normalize),
        "rescale": Parameter(rescale),
        "lambda": Parameter(1.0),
        **INT8_MASK,
    }
    return Method(name, source, "required", ANY, {**WEIGHT, **each}, shared, seeded, paper=paper)


_TIES = "Yadav et al. 2023, arXiv 2306.01708"
_DARE = "Yu et al. 2024, arXiv 2311.03099"
_CRUMBS = "Davari & Belilovsky 2024, arXiv 2312.06795"
_DELLA = "Deep et al. 2024, arXiv 2406.11617"
_RAM = "Reinforced Agent Merging, arXiv 2601.13572"
_GLOBAL = "trims over the whole model, elects signs on unweighted task vectors"
_PLAIN_RESCALE = "divides what stays by its density, whatever `rescale` says"
_OWN_RESCALE = "divides each element that stays by its own probability to, whatever `rescale` says"

METHODS: Mapping[str, Method] = {
    method.name: method
    for method in (
        Method(
            "linear", "Model soups, Wortsman et al. 2022, arXiv 2203.05482", "input", ANY,
            WEIGHT, {"normalize": Parameter(True)},
        ),
        Method("slerp", "Shoemake 1985", "required", ONE, shared={"t": Parameter(REQUIRED, 0.0, 1.0)}),
        Method(
            "nuslerp", "Goddard, mergekit", "optional", TWO, WEIGHT,
            {"nuslerp_row_wise": Parameter(False), "nuslerp_flatten": Parameter(True)},
        ),
        Method(
            "multislerp", "Goddard, Multi-SLERP", "optional", ANY, WEIGHT,
            {"normalize_weights": Parameter(True), "eps": Parameter(1e-8, 0.0)},
        ),
        Method(
            "karcher", "Karcher mean, arXiv 2603.04972", "input", ANY,
            shared={"max_iter": Parameter(10.0, 0.0), "tol": Parameter(1e-5, 0.0)},
        ),
        _vectors("task_arithmetic", "Ilharco et al. 2023, arXiv 2212.04089", {}),
        _vectors("ties", _TIES, DENSITY, normalize=True, paper=_GLOBAL),
        _vectors("dare_linear", _DARE, DENSITY, rescale=True, seeded=True, paper=_PLAIN_RESCALE),
        _vectors("dare_ties", _DARE, DENSITY, rescale=True, seeded=True, paper=_PLAIN_RESCALE),
        _vectors("breadcrumbs", _CRUMBS, {**DENSITY, **GAMMA}),
        _vectors("breadcrumbs_ties", _CRUMBS, {**DENSITY, **GAMMA}),
        _vectors("della", _DELLA, {**DENSITY, **EPSILON}, True, True, seeded=True, paper=_OWN_RESCALE),
        _vectors("della_linear", _DELLA, {**DENSITY, **EPSILON}, False, True, seeded=True, paper=_OWN_RESCALE),
        Method(
            "model_stock", "Jang et al. 2024, arXiv 2403.19522", "required", SOME,
            shared={"filter_wise": Parameter(False)},
        ),
        Method(
            "sce", "Wan et al. 2024, arXiv 2408.07990", "required", ANY,
            shared={**INT8_MASK, "select_topk": Parameter(1.0, 0.0, 1.0)},
        ),
        Method("arcee_fusion", "Arcee Fusion, mergekit", "required", ONE),
        Method("passthrough", "mergekit", "input", ONE, {"scale": Parameter(None)}),
        Method("nearswap", "mergekit", "required", ONE, shared={"t": Parameter(REQUIRED)}, kernel=False),
        Method("ram", _RAM, "required", ANY, shared={"epsilon": Parameter(1e-5, 0.0)}, kernel=False),
        Method(
            "ramplus_tl", _RAM, "required", ANY, kernel=False,
            shared={"r": Parameter(0.1), "alpha": Parameter(0.2), "epsilon": Parameter(1e-5, 0.0)},
        ),
    )
}  # fmt: skip
