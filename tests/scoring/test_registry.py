"""The scorer by its name in lm-eval: on the command line, in Python, and where entry points are read."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import tiny
from lm_eval import simple_evaluate
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks import TaskManager

from workbench.errors import UserError
from workbench.scoring.packed import PackedScorer
from workbench.scoring.registry import Workbench, identity
from workbench.scoring.tree import Tree

LIMIT = 3
TASKS = ["mini_nli", "mini_question_summary"]


def evaluated(manager: TaskManager, model: Any, **options: Any) -> dict[str, Any]:
    found: dict[str, Any] = simple_evaluate(
        model, tasks=TASKS, task_manager=manager, limit=LIMIT, bootstrap_iters=1, log_samples=True, **options
    )
    return {name: [one["filtered_resps"] for one in samples] for name, samples in found["samples"].items()}


def same(found: dict[str, Any], wanted: dict[str, Any]) -> None:
    for mine, other in zip(found["mini_nli"], wanted["mini_nli"], strict=True):
        assert [float(number) for number, _ in mine] == pytest.approx([float(number) for number, _ in other], abs=1e-3)
        assert [str(best) for _, best in mine] == [str(best) for _, best in other]
    assert found["mini_question_summary"] == wanted["mini_question_summary"]


@pytest.fixture(scope="module")
def wanted(manager: TaskManager, model: Path) -> dict[str, Any]:
    return evaluated(manager, HFLM(pretrained=str(model), dtype="float32", batch_size=1, device="cpu"))


@pytest.mark.parametrize("batch_size", ["auto", "auto:2", 2, "3"])
def test_simple_evaluate_knows_it(
    manager: TaskManager, model: Path, wanted: dict[str, Any], batch_size: str | int
) -> None:
    found = evaluated(
        manager, "workbench", model_args={"pretrained": str(model), "dtype": "float32"}, batch_size=batch_size,
        device="cpu",
    )  # fmt: skip
    same(found, wanted)


def test_its_command_is_lm_eval_s(tasks: Path, model: Path, wanted: dict[str, Any], tmp_path: Path) -> None:
    options = f"pretrained={model},dtype=float32,answers={tmp_path / 'answers'}"
    command = [
        str(Path(sys.executable).with_name("workbench-lm-eval")), "run", "--model", "workbench", "--model_args",
        options, "--tasks", *TASKS, "--include_path", str(tasks), "--limit", str(LIMIT), "--batch_size", "auto",
        "--device", "cpu", "--log_samples", "--output_path", str(tmp_path / "out"),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "workbench" in done.stdout
    found = {}
    for name in TASKS:
        (file,) = (tmp_path / "out").rglob(f"samples_{name}_*.jsonl")
        lines = sorted((json.loads(line) for line in file.read_text().splitlines()), key=lambda one: one["doc_id"])
        found[name] = [one["filtered_resps"] for one in lines]
    same(found, wanted)
    assert len(list((tmp_path / "answers").glob("*.sqlite"))) == 1


PLACEHOLDER = """\
from importlib.metadata import entry_points
from lm_eval.api.registry import get_model, model_registry
import lm_eval.models
(found,) = entry_points(group="lm_eval.models", name="workbench")
model_registry.register("workbench", target=found)
print(get_model("workbench").__name__)
"""


def test_a_release_that_reads_entry_points_finds_it_before_anyone_imports_it(tmp_path: Path) -> None:
    # What such a release does: entry points of this group become placeholders, loaded when they are asked for.
    done = subprocess.run([sys.executable, "-c", PLACEHOLDER], capture_output=True, text=True, cwd=tmp_path)
    assert (done.stdout, done.returncode) == ("Workbench\n", 0), done.stderr


def test_answers_are_remembered_where_asked(
    manager: TaskManager, model: Path, wanted: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {"pretrained": str(model), "dtype": "float32", "answers": str(tmp_path / "answers")}
    first = evaluated(manager, "workbench", model_args=options, device="cpu")
    with monkeypatch.context() as patch:
        patch.setattr(Tree, "read", None)
        patch.setattr(PackedScorer, "_answers", None)
        again = evaluated(manager, "workbench", model_args=options, device="cpu", batch_size=7)
    assert again == first
    same(first, wanted)


def test_without_a_place_nothing_is_kept(manager: TaskManager, model: Path, tmp_path: Path) -> None:
    before = tiny.hashes(model)
    evaluated(manager, "workbench", model_args={"pretrained": str(model), "dtype": "float32"}, device="cpu")
    assert tiny.hashes(model) == before
    assert list(tmp_path.iterdir()) == []


def test_a_model_is_known_by_its_files_and_by_what_changes_answers(model: Path, tmp_path: Path) -> None:
    asked = {"pretrained": str(model), "dtype": "float32"}
    copied = tiny.copy(model, tmp_path / "copied")
    assert identity(asked) == identity(asked | {"pretrained": str(copied), "batch_size": "auto", "device": "cuda"})
    others = [asked | {"dtype": "bfloat16"}, asked | {"add_bos_token": True}, asked | {"tokenizer": str(model)}]
    ids = {identity(one) for one in (asked, *others)}
    tiny.edit_json(copied / "generation_config.json", max_new_tokens=3)
    assert len(ids | {identity(asked | {"pretrained": str(copied)})}) == 5


def test_a_name_on_a_hub_is_not_remembered_by(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^answers= needs files .* pretrained=a/hub-name is no folder here\."):
        Workbench("a/hub-name", answers=str(tmp_path))
