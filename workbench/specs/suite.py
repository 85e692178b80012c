"""Declarations of benchmarks/suites/*.yaml: which tasks, in which role, read by which metric."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from workbench.specs.common import Name, Share, Spec


class TaskEntry(Spec):
    """A task of lm-eval in a suite. `name` is its column, shared by the validation and the test form."""

    task: Name
    name: Name
    metric: str
    chance: Share | None = None
    higher_is_better: bool = True
    in_mean: bool = True
    source: Name | None = None


class SuiteSpec(Spec):
    """A suite has one role: `validation` rows may be read by selection and search, `test` rows never."""

    kind: Literal["suite"]
    role: Literal["validation", "test"]
    tasks: Annotated[list[TaskEntry], Field(min_length=1)]
