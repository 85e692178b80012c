"""Candidates of a run file: single merges and sweeps of merges."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from workbench.specs.common import Dtype, Name, Spec


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

    An `intermediate` one is there for other merges to take: it is scored on validation alone, and never chosen.
    `slices`, `modules`, `tokenizer_source`, `tokenizer` and `chat_template` are mergekit's, which then computes it.
    """

    merge_method: str
    intermediate: bool = False
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
