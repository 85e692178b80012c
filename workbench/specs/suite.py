"""Declarations of benchmarks/suites/*.yaml: which tasks, in which role, read by which metric."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from workbench.specs.common import Name, Share, Spec


class TaskEntry(Spec):
    """A task or group of lm-eval in a suite. `name` is its column, shared by the validation and the test form.

    Without all of its `sources` on this machine a task is listed as unavailable.
    """

    task: Name
    name: Name
    metric: str
    chance: Share | None = None
    higher_is_better: bool = True
    in_mean: bool = True
    sources: list[Name] = []


class SuiteSpec(Spec):
    """A suite has one role: `validation` rows may be read by selection and search, `test` rows never."""

    kind: Literal["suite"]
    role: Literal["validation", "test"]
    tasks: Annotated[list[TaskEntry], Field(min_length=1)]
