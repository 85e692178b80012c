"""What a run has come to so far: artifacts by step, and what they say of models, items and the choice, read back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from workbench.plan import PREFERENCES, Plan, Scored
from workbench.progress import Progress
from workbench.records import Rejection, Role, ScoreRow, Selection
from workbench.store import Artifact, Store

if TYPE_CHECKING:
    from workbench.board.paired import ScoredItems
    from workbench.scoring.harness import Harness


@dataclass
class Context:
    """What steps share while a run goes on: the plan, the store, artifacts by step id, and the harness once built."""

    plan: Plan
    store: Store
    progress: Progress
    artifacts: dict[str, Artifact] = field(default_factory=dict)
    harness: Harness | None = None

    def __getitem__(self, step_id: str) -> Artifact:
        return self.artifacts[step_id]


def rows_of(scored: Scored, role: Role, context: Context) -> list[ScoreRow]:
    """Rows of a model in one role, under the name it has in this run; none while it is not scored, or never will be."""
    step = scored.scores.get(role)
    artifact = context.artifacts.get(step.id) if step else None
    if artifact is None:
        return []
    return [ScoreRow(**{**row, "model": scored.name, "role": role}) for row in artifact.json("scores.json")]


def scored_items(scored: Sequence[Scored], role: Role, context: Context) -> dict[str, ScoredItems]:
    """Scores of models in one role with the items behind them, by their names; of those that are scored."""
    from workbench.board.paired import ScoredItems

    rows = {one.name: rows_of(one, role, context) for one in scored}
    return {one.name: ScoredItems(rows[one.name], items_of(one, role, context)) for one in scored if rows[one.name]}


def items_of(scored: Scored, role: Role, context: Context) -> list[dict[str, Any]]:
    """What a model answered to every item, in one role."""
    return context[scored.scores[role].id].json_lines("items.jsonl")


def selection_of(artifact: Artifact) -> Selection:
    """The selection that a select or pick step wrote."""
    raw = artifact.json("selection.json")
    rejected = tuple(Rejection(**one) for one in raw["rejected"])
    return Selection(**{**raw, "reasons": tuple(raw["reasons"]), "rejected": rejected})


def licences(plan: Plan) -> tuple[str, ...]:
    """Licences of the base and of every source that an expert of the run read, each once."""
    from workbench.data.reading import licence_of

    found = [f"{plan.declared.run.base}: {plan.declared.base.licence}"]
    for expert in plan.declared.experts.values():
        found += [licence_of(corpus) for corpus in expert.corpora]
    if plan.align is not None:
        found.append(f"{PREFERENCES.name}: CC0 (synthetic, written for this project)")
    return tuple(dict.fromkeys(found))
