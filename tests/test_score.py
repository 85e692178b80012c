"""Scoring a model by its name: a folder, a declared base, a trained expert."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import tiny

from workbench.errors import StepFailed, UserError
from workbench.plan import plan
from workbench.score import find_model
from workbench.specs.project import Project, load_run
from workbench.store import Store


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run file of a tiny project."""
    return tiny.save_project(tmp_path_factory.mktemp("score") / "project")


def test_an_expert_is_the_model_that_a_run_makes_of_it(file: Path, tmp_path: Path) -> None:
    found = find_model("notes", Project.around(file), Store(tmp_path))
    step = next(step for step in plan(load_run(file)).steps if step.kind == "expert" and step.name == "notes")
    assert (found.name, found.id) == ("notes", step.id)
    base = find_model("tiny", Project.around(file), Store(tmp_path))
    weights, of_base = tiny.weights_of(found.folder), tiny.weights_of(base.folder)
    assert weights.keys() == of_base.keys()
    assert any(not weights[name].equal(of_base[name]) for name in weights)


def test_a_declaration_that_lies_elsewhere_is_scored_by_its_file(file: Path, tmp_path: Path) -> None:
    project = tiny.copy(file.parents[1], tmp_path / "project")
    other = project / "experts" / "ablations"
    other.mkdir()
    for name in ("notes.yaml", "notes"):
        (project / "experts" / name).rename(other / name)
    found = find_model(str(other / "notes.yaml"), Project(project), Store(tmp_path / "runs"))
    assert (found.name, (found.folder / "config.json").is_file()) == ("notes", True)
    with pytest.raises(UserError, match=r"nots\.yaml: there is no such file\."):
        find_model(str(other / "nots.yaml"), Project(project), Store(tmp_path / "runs"))


def test_an_expert_without_an_adapter_says_how_it_is_trained(file: Path, tmp_path: Path) -> None:
    project = tiny.copy(file.parents[1], tmp_path / "project")
    shutil.rmtree(project / "experts" / "codes")
    with pytest.raises(UserError, match=r"'codes' is not trained yet\. Run: workbench train experts/codes\.yaml"):
        find_model("codes", Project(project), Store(tmp_path / "runs"))


def test_an_adapter_of_another_declaration_is_refused(file: Path, tmp_path: Path) -> None:
    project = tiny.copy(file.parents[1], tmp_path / "project")
    declared = project / "experts" / "codes.yaml"
    declared.write_text(declared.read_text().replace("seed: 2", "seed: 3"))
    with pytest.raises(StepFailed, match="was trained from another declaration"):
        find_model("codes", Project(project), Store(tmp_path / "runs"))


def test_what_is_neither_is_refused(file: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nots: neither a folder with a config\.json nor declared in experts/\."):
        find_model("nots", Project.around(file), Store(tmp_path))
