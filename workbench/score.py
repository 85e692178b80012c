"""Scoring one model outside a run: a folder or a declared base, on one suite, kept in the store by what it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.context import Context
from workbench.data.reading import licence_of
from workbench.errors import UserError
from workbench.ids import folder_sha256
from workbench.plan import Step, base_step, expert_step, score_step
from workbench.progress import Progress
from workbench.records import Role, ScoreRow, Unavailable
from workbench.specs.load import did_you_mean
from workbench.specs.models import BaseSpec
from workbench.specs.project import Project, kind_of, load_base, load_expert
from workbench.specs.run import Asking
from workbench.specs.suite import SuiteSpec
from workbench.steps import base_files, folded, harness_of, made, take_shipped, write_scores
from workbench.store import Artifact, Store
from workbench.tasks import tasks_of
from workbench.train import training_plan

if TYPE_CHECKING:
    from workbench.scoring.harness import Harness


@dataclass(frozen=True)
class Model:
    """A model to score: its name, the id of its weights, and the folder they lie in."""

    name: str
    id: str
    folder: Path


@dataclass(frozen=True)
class Card:
    """What one model scored on one suite, and the tasks that could not be asked here."""

    model: Model
    suite: str
    rows: tuple[ScoreRow, ...]
    unavailable: tuple[Unavailable, ...]
    artifact: Artifact

    def items(self) -> list[dict[str, Any]]:
        """One record an item, in the order in which they were asked."""
        return self.artifact.json_lines("items.jsonl")


def find_model(given: str, project: Project, store: Store) -> Model:
    """The model of a folder, of a declaration's YAML, or of a base or expert in experts/, which is made here first.

    Raises UserError when `given` is none of these, or an expert that is not trained yet.
    """
    folder = Path(given)
    if (folder / "config.json").is_file():
        return Model(folder.resolve().name, folder_sha256(folder), folder)
    file = folder if folder.suffix == ".yaml" else project.model_file(given)
    if not file.is_file() and file == folder:
        raise UserError(f"{given}: there is no such file. Check the name.")
    if not file.is_file():
        known = sorted(path.stem for path in file.parent.glob("*.yaml"))
        raise UserError(
            f"{given}: neither a folder with a config.json nor declared in experts/. {did_you_mean(given, known)}"
        )
    if kind_of(file) == "expert":
        return _expert(file.stem, file, store)
    return _base(file.stem, load_base(file), project, store)


def _base(name: str, spec: BaseSpec, project: Project, store: Store) -> Model:
    step = base_step(name, spec, project.model_file(name))
    found = made(step, store, lambda out: base_files(step, project, out), (f"{name}: {spec.licence}",))
    return Model(name, step.id, found.path)


def _expert(name: str, file: Path, store: Store) -> Model:
    project, spec, declared = load_expert(file)
    base, adapter = training_plan(project, name, spec, declared)
    weights = store.get("adapter", adapter.id)
    if weights is None:
        shipped = file.with_suffix("")
        if not shipped.is_dir():
            raise UserError(f"expert '{name}' is not trained yet. Run: workbench train {project.shown(file)}")
        weights = made(adapter, store, lambda out: take_shipped(adapter, shipped, out))
    folder, trained = _base(spec.base, declared, project, store).folder, weights.path
    step = expert_step(name, base, adapter)
    licences = (f"{spec.base}: {declared.licence}", *map(licence_of, spec.corpora))
    found = made(step, store, lambda out: folded(folder, trained, spec.base, out), licences)
    return Model(name, step.id, found.path)


def score_on(
    model: Model, name: str, suite: SuiteSpec, how: Asking, project: Project, store: Store, progress: Progress
) -> Card:
    """Score a model on the suite called `name`, or read what an earlier call scored."""
    from workbench.scoring.harness import Harness

    tasks, unavailable = tasks_of(suite, project)
    if not tasks:
        raise UserError(f"suite '{name}': none of its tasks can be asked here. {unavailable[0].reason}")
    step = score_step(model.name, suite.role, tasks, how, model.id, project)
    found = _scored(step, model, store, lambda: Harness(project.tasks, progress, store.root / "answers"))
    return Card(model, name, _rows(found, model), unavailable, found)


def score_folder(context: Context, model: Model, role: Role) -> tuple[ScoreRow, ...]:
    """Rows of a model from outside a plan, asked as the plan asks its own."""
    template = context.plan.board[0].scores[role]
    step = Step("score", f"{model.name}-{role}", template.spec, (model.id,), template.options)
    return _rows(_scored(step, model, context.store, lambda: harness_of(step, context)), model)


def _scored(step: Step, model: Model, store: Store, harness: Callable[[], Harness]) -> Artifact:
    return made(step, store, lambda out: write_scores(step, harness(), model.name, model.folder, out))


def _rows(scored: Artifact, model: Model) -> tuple[ScoreRow, ...]:
    return tuple(ScoreRow(**{**row, "model": model.name}) for row in scored.json("scores.json"))
