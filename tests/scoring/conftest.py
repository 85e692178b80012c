"""A tiny model, a folder of tasks, and a harness over it, made once."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

import tiny
from lm_eval.tasks import TaskManager

from workbench.scoring.harness import Harness


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.save_model(tmp_path_factory.mktemp("scored") / "model")


SHOTS = """\
task: mini_nli_two_shots
include: _mini_nli.yaml
test_split: test
num_fewshot: 2
"""
PARTLY = """\
task: partly
include: _mini_nli.yaml
test_split: test
output_type: generate_until
doc_to_target: label
doc_to_choice: null
generation_kwargs: {until: ["\\n"], max_gen_toks: 2, do_sample: false}
process_results: !function partly.process_results
metric_list:
  - {metric: length, aggregation: mean, higher_is_better: true}
"""
PARTLY_PY = """\
def process_results(doc, results):
    return {"length": float("nan") if doc["label"] == "neutral" else float(len(results[0]))}
"""


@pytest.fixture(scope="session")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three mini tasks of the project; one of them with shots, and one that cannot score every item."""
    folder = tiny.copy_tasks(
        tmp_path_factory.mktemp("benchmarks") / "tasks", "mini_nli", "mini_notes_perplexity", "mini_question_summary"
    )
    (folder / "mini_nli" / "two_shots.yaml").write_text(SHOTS)
    (folder / "mini_nli" / "partly.yaml").write_text(PARTLY)
    (folder / "mini_nli" / "partly.py").write_text(PARTLY_PY)
    return folder


@pytest.fixture(scope="session")
def manager(tasks: Path) -> TaskManager:
    return TaskManager(include_path=str(tasks), include_defaults=False)


@pytest.fixture(scope="session")
def harness(tasks: Path) -> Harness:
    return Harness(tasks)
