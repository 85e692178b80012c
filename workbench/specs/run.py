"""Declarations of merges/*.yaml: candidates, suites, the rule of choice, the alignment hand-off."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from workbench.specs.candidate import Candidate
from workbench.specs.common import Dtype, Name, Share, Spec
from workbench.specs.search import SearchSpec


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
    """A run: from a base and its experts to the merged checkpoint that is worth aligning.

    `baselines` are trainings of the same base that stand on the board beside them, such as one on all corpora at once;
    they are neither merged nor chosen. A run has candidates, searches, or both.
    """

    run: Name
    base: Name
    experts: Annotated[list[Name], Field(min_length=1)]
    baselines: list[Name] = []
    candidates: dict[str, Candidate] = {}
    searches: dict[Name, SearchSpec] = {}
    score: Score
    select: Select = Select()
    handoff: Handoff | None = None

    @property
    def trained(self) -> list[str]:
        """The models that are trained from the base: experts, then baselines."""
        return [*self.experts, *self.baselines]
