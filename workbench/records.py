"""Frozen results that stages hand to one another through the store. No behaviour beyond plain conversion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Role = Literal["validation", "test"]
Outcome = Literal["done", "skipped", "failed", "not run"]


@dataclass(frozen=True)
class ModelRef:
    """A model that a step left in the store: `name` for people, `id` for identity, `path` of a loadable folder."""

    name: str
    id: str
    path: str
    kind: Literal["base", "expert", "merge", "aligned"]


@dataclass(frozen=True)
class ScoreRow:
    """One score of one model on one task. A score is a record, never a bare number.

    `value` and `stderr` are None when undefined (no item, or all unscored); they are never 0 in that case.
    `n` counts scored items, `unscored` those that could not be scored. Of the scored, `unparsable` gave no answer that
    could be read and scored 0 (None where the task reads no answers), and `cut` did not fit the model's context and
    were asked without their beginning. `measured_by` names the models and dictionaries that the score depends on.
    `in_mean` says whether the suite's unweighted mean includes this task (perplexities are shown, not averaged).
    """

    model: str
    model_id: str
    task: str
    task_version: str
    metric: str
    value: float | None
    stderr: float | None
    n: int
    unscored: int
    role: Role
    higher_is_better: bool
    in_mean: bool
    chance: float | None = None
    unparsable: int | None = None
    cut: int = 0
    measured_by: str = ""
    commit: str = "unknown"
    dirty: bool = False


@dataclass(frozen=True)
class Unavailable:
    """A task of a suite that could not be scored here, with the reason; it is never scored 0."""

    task: str
    role: Role
    reason: str


@dataclass(frozen=True)
class SharedItem:
    """An item that shares runs of words with a training corpus: `share` of its runs stand there, above 0 to 1.

    `item` is its id, or its number in the task; `doc_hash` is lm-eval's hash of it, by which its results are known.
    """

    item: str
    doc_hash: str
    share: float


@dataclass(frozen=True)
class Overlap:
    """Which of a task's `items` share a run of words with what one expert reads. `task` is the name of its column."""

    expert: str
    task: str
    role: Role
    items: int
    shared: tuple[SharedItem, ...]


@dataclass(frozen=True)
class CleanScore:
    """A score as on the board, and beside it that over the items which share no run of words with any corpus.

    `clean_value` is None when no item is left, and when the metric is more than a mean over items.
    """

    model: str
    task: str
    role: Role
    metric: str
    n: int
    value: float | None
    stderr: float | None
    clean_n: int
    clean_value: float | None
    clean_stderr: float | None


@dataclass(frozen=True)
class Rejection:
    """Why one candidate was not chosen, in a sentence."""

    model: str
    reason: str


@dataclass(frozen=True)
class Selection:
    """The chosen candidate and why: `reasons` for it, one sentence for every other."""

    model: str
    model_id: str
    value: float
    reasons: tuple[str, ...]
    rejected: tuple[Rejection, ...]


@dataclass(frozen=True)
class Provenance:
    """Where a result came from: code, packages, machine, command, and the licences of its inputs."""

    commit: str
    dirty: bool
    python: str
    packages: Mapping[str, str]
    device: str
    command: str
    created: str
    licences: tuple[str, ...] = field(default=())


def plain(record: Any) -> dict[str, Any]:
    """A record as a JSON-ready dict."""
    return asdict(record)
