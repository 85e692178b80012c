"""Declarations of merges/*.yaml: candidates, suites, the rule of choice, the alignment hand-off."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from workbench.specs.common import Dtype, Name, Share, Spec


class Each(Spec):
    """The same entry for every model that `each` names: `experts`, a pattern, or `best-of PATTERN` (one per expert)."""

    each: str
    parameters: dict[str, Any] = {}


class Entry(Spec):
    """One model of a candidate, before its axes are filled in."""

    model: str
    parameters: dict[str, Any] = {}


Scalar = str | float | int | bool


class Candidate(Spec):
    """A merge, or a sweep of merges over the cross product of its axes. Values are checked once they are filled in.

    `slices`, `modules`, `tokenizer_source`, `tokenizer` and `chat_template` are mergekit's, which then computes it.
    """

    merge_method: str
    models: list[Entry] | Each = []
    slices: list[dict[str, Any]] = []
    modules: dict[str, dict[str, Any]] = {}
    axes: dict[Name, Annotated[list[Scalar], Field(min_length=1)] | Literal["experts"]] = {}
    base_model: str | None = None
    parameters: dict[str, Any] = {}
    seed: int | str | None = None
    variant: Literal["mergekit", "paper"] = "mergekit"
    dtype: Dtype = "float32"
    out_dtype: Dtype = "bfloat16"
    tokenizer_source: str | None = None
    tokenizer: dict[str, Any] | None = None
    chat_template: str | None = None


class Asking(Spec):
    """How models are asked.

    `limit` takes so many items of every task, the same for every model (a shortened run); `chat` wraps prompts in the
    model's chat template instead of giving them as plain text.
    """

    limit: Annotated[int, Field(gt=0)] | None = None
    dtype: Dtype = "bfloat16"
    chat: bool = False
    batch_size: Annotated[int, Field(gt=0)] = 48


class Score(Asking):
    """The suites by role, and how models are asked."""

    validation: Name
    test: Name


class AtLeast(Spec):
    """Lower bounds a candidate must reach."""

    datasets_gained: Annotated[int, Field(ge=0)] = 0


class Select(Spec):
    """How the winner is chosen, on validation rows only."""

    by: Literal["mean"] = "mean"
    at_least: AtLeast = AtLeast()
    max_drop: Share | None = None
    tie_break: Literal["cv_of_gains", "datasets_gained"] = "cv_of_gains"


class Stage(Spec):
    """One alignment stage: `lr` peak of a cosine schedule, `max_steps` for shortened runs (labelled as such)."""

    lr: Annotated[float, Field(gt=0)]
    data: str
    max_steps: Annotated[int, Field(gt=0)] | None = None
    epochs: Annotated[float, Field(gt=0)] = 1.0
    batch_size: Annotated[int, Field(gt=0)] = 4
    gradient_accumulation: Annotated[int, Field(gt=0)] = 1
    warmup_steps: Annotated[int, Field(ge=0)] = 0
    max_length: Annotated[int, Field(gt=0)] = 512
    neftune_alpha: Annotated[float, Field(ge=0)] = 0.0


class DpoStage(Stage):
    """DPO (Rafailov et al. 2023); `beta` weighs the divergence from the reference."""

    beta: Annotated[float, Field(gt=0)] = 0.1


class Handoff(Spec):
    """SFT then DPO on the chosen checkpoint; `execute` false only writes the bundle."""

    sft: Stage
    dpo: DpoStage
    seed: int
    execute: bool = True


class RunSpec(Spec):
    """A run: from a base and its experts to the merged checkpoint that is worth aligning."""

    run: Name
    base: Name
    experts: Annotated[list[Name], Field(min_length=1)]
    candidates: Annotated[dict[str, Candidate], Field(min_length=1)]
    score: Score
    select: Select = Select()
    handoff: Handoff | None = None
