"""What a run leaves for people, in runs/<run>/: leaderboard, searches, selection, outcomes, hand-off.

Replaced at every start.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.context import Context, items_of, rows_of, scored_items, selection_of
from workbench.ids import Plain, content_id
from workbench.plan import ROLES, Plan, Step
from workbench.records import CleanScore, Overlap, ScoreRow, SharedItem, plain
from workbench.run import Walk
from workbench.specs.expand import BASE
from workbench.steps import write_handoff
from workbench.store import Store, write_json, write_text

if TYPE_CHECKING:
    from workbench.board.page import Board
    from workbench.board.pareto import TradeOff
    from workbench.board.searched import Searched

KNOWLEDGE_RECALL = (
    "icd10cm tasks measure knowledge recall: the medcode expert reads the code tables, never the questions."
)
OVERLAP_VERSION = 1
"""Raised when the comparison changes: overlaps found by older code are then found again."""
SYNTHETIC = "mini_* items are synthetic, written for this project and reviewed by no clinician: a demo, never a claim."


@dataclass(frozen=True)
class Written:
    """The board, if there is anything to show, and the files that were written."""

    board: Board | None
    files: tuple[Path, ...]


def finish(walk: Walk) -> Written:
    """Write everything that can be written of a walk, however far it came."""
    context = walk.context
    folder = context.store.root / context.plan.declared.run.run
    outcomes = [
        {"step": e.step.name, "kind": e.step.kind, "id": e.step.id, "outcome": e.outcome, "reason": e.reason}
        for e in walk.ended
    ]
    write_json(folder / "outcomes.json", outcomes)
    files = [folder / "outcomes.json"]
    if (select := context.artifacts.get(context.plan.select.id)) is not None:
        write_json(folder / "selection.json", plain(selection_of(select)))
        files.append(folder / "selection.json")
        if context.plan.declared.run.handoff is not None:
            files.append(replace_handoff(context, folder / "handoff"))
    board = board_of(context)
    if board is not None:
        files += write_board(board, folder)
    return Written(board, tuple(files))


def replace_handoff(context: Context, out: Path) -> Path:
    """Write the hand-off bundle in place of an older one; an aligned model inside is kept."""
    temp = out.with_name(f".{out.name}.tmp-{os.getpid()}")
    write_handoff(context, temp)
    out.mkdir(exist_ok=True)
    for path in sorted(temp.iterdir()):
        path.replace(out / path.name)
    shutil.rmtree(temp)
    return out


def board_of(context: Context, extra: Iterable[ScoreRow] = ()) -> Board | None:
    """The leaderboard of all that is scored; None while the base is not.

    `extra` rows are of models from outside the plan; one with the name of a model of the plan takes its place.
    """
    from workbench.alignment.bundle import shortened
    from workbench.board.page import Board
    from workbench.board.paired import Pairs
    from workbench.board.pareto import front_of
    from workbench.board.select import rule_of
    from workbench.board.table import tidy

    plan, run = context.plan, context.plan.declared.run
    outside = list(extra)
    replaced = {row.model for row in outside}
    kept = [scored for scored in plan.board if scored.name not in replaced]
    rows = [row for role in ROLES for scored in kept for row in rows_of(scored, role, context)] + outside
    scored_roles = {row.role for row in rows if row.model == BASE}
    rows = [row for row in rows if row.role in scored_roles]
    if not rows:
        return None
    select = context.artifacts.get(plan.select.id)
    selection = None if select is None else selection_of(select)
    front: tuple[TradeOff, ...] = ()
    if selection is not None and "validation" in scored_roles:
        choice, read = plan.select.spec, [row for row in rows if row.role == "validation"]
        front = front_of(tidy(read), BASE, choice["candidates"], rule_of(choice["rule"]))
    labels = {}
    if run.handoff is not None and (label := shortened(run.handoff)):
        labels["aligned"] = label
    return Board(
        title=f"Leaderboard: {run.run}",
        baseline=BASE,
        rows=tuple(rows),
        unavailable=plan.unavailable,
        selection=selection,
        notes=tuple(notes(rows, run.score.limit)),
        labels=labels,
        overlap=tuple(overlap_of(context, (BASE, *([selection.model] if selection else ())))),
        front=front,
        searches=tuple(searches_of(context)),
        gain_errors={role: Pairs(scored_items(kept, role, context)).errors(BASE) for role in ROLES},
    )


def searches_of(context: Context) -> list[Searched]:
    """What the searches of a run tried, as far as they are done."""
    from workbench.board.searched import searched

    found = []
    for one in context.plan.declared.searches:
        model = next(scored.model for scored in context.plan.board if scored.name == one.name)
        if (artifact := context.artifacts.get(model.inputs[0])) is not None:
            found.append(searched(one.name, one.spec, artifact.json("found.json")))
    return found


def overlap_spec(plan: Plan, adapter: Step) -> tuple[str, Plain]:
    """(id, what it is made from) of the overlap of one expert's corpora with the items of a run's suites."""
    shown = ("task", "name", "definition")
    asked = {role: [{k: task[k] for k in shown} for task in plan.board[0].scores[role].spec["tasks"]] for role in ROLES}
    spec = {"corpora": adapter.spec["corpora"], "seed": adapter.spec["seed"], "tasks": asked}
    return content_id("overlap", OVERLAP_VERSION, spec, ()), spec


def overlaps_so_far(plan: Plan, store: Store) -> list[Overlap]:
    """The overlaps of all experts whose corpora `workbench overlap` has compared."""
    found = []
    for adapter in (step for step in plan.steps if step.kind == "adapter"):
        if (artifact := store.get("overlap", overlap_spec(plan, adapter)[0])) is not None:
            for one in artifact.json("overlap.json"):
                shared = tuple(SharedItem(**item) for item in one["shared"])
                found.append(Overlap(**{**one, "expert": adapter.name, "shared": shared}))
    return found


def clean_scores(context: Context, overlaps: Iterable[Overlap], models: Collection[str]) -> list[CleanScore]:
    """Scores of models on the tasks with shared items, with those items and without."""
    from workbench.board.overlap import clean_score, shared_items

    shared, found = shared_items(overlaps), []
    for scored in context.plan.board:
        for role in ROLES:
            rows = [row for row in rows_of(scored, role, context) if (row.task, role) in shared]
            if rows and scored.name in models:
                items = items_of(scored, role, context)
                found += [clean_score(row, items, shared[row.task, role]) for row in rows]
    return found


def overlap_of(context: Context, models: Collection[str]) -> list[tuple[str, str]]:
    """What the board says of overlaps, with clean scores of some models; nothing before they are compared."""
    from workbench.board.overlap import sentences

    overlaps = overlaps_so_far(context.plan, context.store)
    return sentences(overlaps, clean_scores(context, overlaps, models))


def notes(rows: Collection[ScoreRow], limit: int | None) -> list[str]:
    """What a reader must know of the tasks that are shown."""
    tasks = {row.task for row in rows}
    found = []
    if any(task.startswith("icd10cm") for task in tasks):
        found.append(KNOWLEDGE_RECALL)
    if any(task.startswith("mini_") for task in tasks):
        found.append(SYNTHETIC)
    for measure in dict.fromkeys(row.measured_by for row in rows if row.measured_by):
        names = ", ".join(dict.fromkeys(row.task for row in rows if row.measured_by == measure))
        found.append(f"{names}: {measure}.")
    if limit is not None:
        found.append(f"shortened run: {limit} items of every task, drawn once, the same for every model.")
    return found


def write_board(board: Board, folder: Path) -> list[Path]:
    """Write the board as Markdown and CSV, and the candidates of every search as CSV."""
    from workbench.board.candidates import candidates_csv
    from workbench.board.render import to_csv, to_markdown

    texts = {"leaderboard.md": to_markdown(board), "leaderboard.csv": to_csv(board)}
    texts |= {one.file: candidates_csv(one) for one in board.searches}
    for name, text in texts.items():
        write_text(folder / name, text)
    return [folder / name for name in texts]
