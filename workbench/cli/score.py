"""`workbench score`: any model folder, on the suites of a run, on its board."""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path

from workbench.cli.common import run_argument, run_file, runs_argument
from workbench.cli.console import console, wrote
from workbench.errors import DataMissing
from workbench.ids import folder_sha256
from workbench.plan import Plan, Scored, Step, plan
from workbench.provenance import capture, commit
from workbench.records import ScoreRow, plain
from workbench.results import ROLES, board_of, write_board
from workbench.run import found_so_far
from workbench.specs.project import load_run
from workbench.store import Artifact, Store, write_json, write_text


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
    extra = [row for role in ROLES for row in score_folder(planned, store, options.model, options.name, role)]
    context = found_so_far(planned, store)
    board = board_of(context, extra)
    if board is None:
        raise DataMissing(f"{planned.declared.file}: its base is not scored yet. Run: workbench run {options.run}")
    console.print(to_rich(board))
    for path in write_board(board, store.root / planned.declared.run.run):
        wrote(path)
    return 0


def score_folder(planned: Plan, store: Store, folder: Path, name: str, role: str) -> list[ScoreRow]:
    """Rows of a model from outside the plan, scored as the plan scores its own; kept in the store by its bytes."""
    from workbench.scoring.harness import Harness, Task

    like: Scored = planned.board[0]
    template = like.scores[role]  # type: ignore[index]
    model_id = folder_sha256(folder)
    step = Step("score", f"{name}-{role}", template.spec, (model_id,))
    artifact: Artifact | None = store.get("score", step.id)
    if artifact is None:
        spec = step.spec
        with store.writing("score", step.name, step.id) as temp:
            scores = Harness(template.options["tasks"]).score(
                name, model_id, folder, [Task(**task) for task in spec["tasks"]], spec["role"], spec["dtype"],
                template.options["batch_size"], spec["limit"],
            )  # fmt: skip
            revision, dirty = commit()
            rows = [plain(dataclasses.replace(row, commit=revision, dirty=dirty)) for row in scores.rows]
            write_json(temp / "scores.json", rows)
            write_text(temp / "items.jsonl", "".join(json.dumps(item) + "\n" for item in scores.items))
            artifact = store.commit(temp, "score", step.name, step.id, step.spec, capture())
    return [ScoreRow(**{**row, "model": name}) for row in artifact.json("scores.json")]
