"""`workbench score`: any model folder, on the suites of a run, on its board."""

from __future__ import annotations

import argparse
from pathlib import Path

from workbench.cli.common import run_argument, run_file, runs_argument
from workbench.cli.console import console, wrote
from workbench.errors import DataMissing
from workbench.ids import folder_sha256
from workbench.plan import Step, plan
from workbench.provenance import capture
from workbench.records import Role, ScoreRow
from workbench.results import ROLES, board_of, write_board
from workbench.run import found_so_far
from workbench.specs.project import load_run
from workbench.steps import Context, write_scores
from workbench.store import Store


def arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the verb."""
    run_argument(parser)
    parser.add_argument("--model", type=Path, required=True, help="folder of the model")
    parser.add_argument("--name", required=True, help="its name on the board")
    runs_argument(parser)


def main(options: argparse.Namespace) -> int:
    """Score in both roles, then show the run's board with the model on it."""
    from workbench.board.render import to_rich

    if not (options.model / "config.json").is_file():
        raise DataMissing(f"{options.model}: holds no config.json. Give the folder of a model.")
    planned, store = plan(load_run(run_file(options.run))), Store(options.runs)
    context = found_so_far(planned, store)
    extra = [row for role in ROLES for row in score_folder(context, options.model, options.name, role)]
    board = board_of(context, extra)
    if board is None:
        raise DataMissing(f"{planned.declared.file}: its base is not scored yet. Run: workbench run {options.run}")
    console.print(to_rich(board))
    for path in write_board(board, store.root / planned.declared.run.run):
        wrote(path)
    return 0


def score_folder(context: Context, folder: Path, name: str, role: Role) -> list[ScoreRow]:
    """Rows of a model from outside the plan, scored as the plan scores its own; kept in the store by its bytes."""
    template = context.plan.board[0].scores[role]
    step = Step("score", f"{name}-{role}", template.spec, (folder_sha256(folder),), template.options)
    artifact = context.store.get("score", step.id)
    if artifact is None:
        with context.store.writing("score", step.name, step.id) as temp:
            write_scores(step, context, name, folder, temp)
            artifact = context.store.commit(temp, "score", step.name, step.id, step.spec, capture())
    return [ScoreRow(**{**row, "model": name}) for row in artifact.json("scores.json")]
