"""A chosen tiny checkpoint and the bundle that hands it off."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

import tiny

from workbench.alignment.bundle import Chosen, Places, write_bundle
from workbench.records import Rejection, ScoreRow, Selection
from workbench.specs.run import Handoff

ROWS = [
    {
        "id": f"row-{n}",
        "instruction": "Answer.",
        "input": f"Note {n}.",
        "output": "A finding.",
        "rejected_output": "No.",
    }
    for n in range(4)
]
ROW = ScoreRow("sum", "id-of-sum", "mini_nli", "1.0+01234567", "acc", 0.5, 0.1, 4, 0, "test", True, True)


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tiny.save_model(tmp_path_factory.mktemp("runs") / "store" / "merge" / "sum-0123456789ab")
    (folder / "recipe.yaml").write_text("merge_method: linear\n")
    return folder


def handoff(**changes: Any) -> Handoff:
    stage = {"lr": 1e-2, "max_steps": 1, "batch_size": 2, "max_length": 256}
    raw = {"seed": 5, "sft": {**stage, "data": "a.jsonl", "neftune_alpha": 5.0}, "dpo": {**stage, "data": "b.jsonl"}}
    return Handoff.model_validate(raw | changes)


@pytest.fixture
def bundle(checkpoint: Path, tmp_path: Path) -> Callable[..., Path]:
    """`bundle(limit, **changes)`: a bundle of the checkpoint in a run of that limit, with changes of its hand-off."""

    def make(limit: int | None = None, **changes: Any) -> Path:
        (tmp_path / "merges").mkdir()
        for name in ("merges/small.yaml", "merges/a.jsonl", "merges/b.jsonl"):
            (tmp_path / name).write_text("".join(json.dumps(row) + "\n" for row in ROWS))
        selection = Selection("sum", "id-of-sum", 0.5, ("It gains most.",), (Rejection("linear", "It gains less."),))
        chosen = Chosen(selection, checkpoint, [ROW], ("tiny: CC0",))
        places = Places(
            tmp_path / "merges" / "small.yaml",
            tmp_path / "runs",
            tmp_path / "merges" / "a.jsonl",
            tmp_path / "merges" / "b.jsonl",
            limit,
        )
        out = tmp_path / "runs" / "small" / "handoff"
        write_bundle(chosen, handoff(**changes), places, out)
        return out

    return make
