"""A tiny project on disk: a base, two experts, two tasks, two suites, one run file. Nothing in it is ever run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]

FILES = {
    "experts/tiny.yaml": """\
kind: base
source:
  wheel: tiny-model==1.0
  sha256: "0000000000000000000000000000000000000000000000000000000000000000"
  file: tiny.gguf
licence: MIT
""",
    "experts/code.yaml": """\
# A comment is no part of an id.
kind: expert
base: tiny
domain: codes
corpora:
  - {source: icd10cm, format: code_lines, max_tokens: 1000}
lora: {r: 2, alpha: 4.0}
train: {lr: 1.0e-3, save_steps: 50}
seed: 1
""",
    "experts/notes.yaml": """\
kind: expert
base: tiny
domain: notes
corpora:
  - {source: mts-dialog, format: dialogue_to_note}
lora: {r: 2, alpha: 4.0}
train: {lr: 1.0e-3}
seed: 2
""",
    "merges/run.yaml": """\
run: small
base: tiny
experts: [code, notes]
candidates:
  slerp-{expert}-{t}:
    axes: {expert: experts, t: [0.25, 0.5]}
    merge_method: slerp
    models: [{model: base}, {model: "{expert}"}]
    parameters: {t: "{t}"}
  dare:
    merge_method: dare_ties
    seed: 7
    models: {each: experts, parameters: {weight: 0.5, density: 0.5}}
  sum:
    merge_method: task_arithmetic
    models: {each: best-of slerp-*, parameters: {weight: 1.0}}
score: {validation: small_validation, test: small_test}
""",
    "benchmarks/suites/small_validation.yaml": """\
kind: suite
role: validation
tasks:
  - {task: nli_validation, name: nli, metric: acc}
  - {task: summary_validation, name: summary, metric: rouge1}
""",
    "benchmarks/suites/small_test.yaml": """\
kind: suite
role: test
tasks:
  - {task: nli, name: nli, metric: acc}
  - {task: summary, name: summary, metric: rouge1}
""",
    "benchmarks/tasks/_common.yaml": "output_type: multiple_choice\n",
    "benchmarks/tasks/nli/nli.yaml": "task: nli\ninclude: ../_common.yaml\n",
    "benchmarks/tasks/nli/nli_validation.yaml": 'task: "nli_validation"\n',
    "benchmarks/tasks/summary/summary.yaml": "task: summary\n",
    "benchmarks/tasks/summary/summary_validation.yaml": "task: summary_validation\n",
}


@pytest.fixture
def repository() -> Path:
    """This checkout."""
    return REPOSITORY


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Root of the tiny project."""
    root = tmp_path / "project"
    for name, text in FILES.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.fixture
def run_file(project: Path) -> Path:
    """The tiny project's run file."""
    return project / "merges" / "run.yaml"


@pytest.fixture
def change(project: Path) -> Callable[[str, str, str], None]:
    """`change(file, old, new)`: replace a text that stands once in a file of the tiny project."""

    def replace(file: str, old: str, new: str) -> None:
        text = (project / file).read_text()
        assert text.count(old) == 1, f"'{old}' stands {text.count(old)} times in {file}"
        (project / file).write_text(text.replace(old, new))

    return replace
