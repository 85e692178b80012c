"""Declarations to ordered steps with ids. Reads specs and small files; no weights, no torch.

base -> adapter -> expert -> merge -> score -> pick or search -> merge -> score -> select -> align -> score
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from workbench.data.catalogue import SOURCES
from workbench.data.formats import FORMATS
from workbench.data.generated.filters import VERSION as FILTERS
from workbench.data.generated.prompts import VERSION as PROMPTS
from workbench.errors import UserError
from workbench.ids import Plain, content_id, file_sha256, folder_sha256
from workbench.records import Role, Unavailable
from workbench.specs.expand import BASE, Merge
from workbench.specs.merge import MergeSpec
from workbench.specs.models import BaseSpec, Corpus, ExpertSpec, FileCorpus
from workbench.specs.project import Declared, Project
from workbench.specs.run import Asking, Handoff, Stage
from workbench.specs.searches import Search
from workbench.tasks import tasks_of

StepKind = Literal["base", "adapter", "expert", "merge", "score", "pick", "search", "select", "align"]

VERSIONS: Mapping[StepKind, int] = {
    "base": 1, "adapter": 1, "expert": 2, "merge": 2, "score": 1, "pick": 1, "search": 1, "select": 3, "align": 1,
}  # fmt: skip
"""Raised when the code of a step changes what it writes: results of older code are then computed again."""

ROLES: tuple[Role, ...] = ("validation", "test")
PREFERENCES = Path(__file__).parent / "alignment" / "preferences"


@dataclass(frozen=True)
class Step:
    """One unit of work with a content id. `options` change how it is done, never what comes out."""

    kind: StepKind
    name: str
    spec: Plain
    inputs: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def id(self) -> str:
        """Content id: kind, code version, spec, inputs in listed order."""
        return content_id(self.kind, VERSIONS[self.kind], self.spec, self.inputs)


@dataclass(frozen=True)
class Scored:
    """A model that stands on the board: the step that makes it and the steps that score it, by role."""

    name: str
    model: Step
    scores: Mapping[Role, Step]


@dataclass(frozen=True)
class Plan:
    """All steps of a run, inputs before those that read them."""

    declared: Declared
    steps: tuple[Step, ...]
    board: tuple[Scored, ...]
    unavailable: tuple[Unavailable, ...]
    select: Step
    align: Step | None

    def step(self, step_id: str) -> Step:
        """The step of an id."""
        return next(step for step in self.steps if step.id == step_id)


def base_step(name: str, spec: BaseSpec, declared_in: Path) -> Step:
    """The step that brings a base model onto this machine."""
    return Step("base", name, {"source": _source(spec, declared_in), "dtype": spec.dtype}, (), {"spec": spec})


def _source(spec: BaseSpec, declared_in: Path) -> Plain:
    source = spec.source.model_dump()
    if "path" in source:  # a local folder is known by its bytes, not by its place
        folder = declared_in.parent / source["path"]
        if not folder.is_dir():
            raise UserError(f"{declared_in}: {source['path']} is no folder. Give one in the transformers layout.")
        return {"files": {p.name: file_sha256(p) for p in sorted(folder.iterdir()) if p.is_file()}}
    return source


MEASURES = ("WORKBENCH_BERTSCORE", "WORKBENCH_CONCEPTS")
"""Variables by which users choose the models behind scores; part of a score's id where they are set."""


@dataclass(frozen=True)
class Excluded:
    """Tasks, in a folder of lm-eval tasks, whose items an expert must not read."""

    folder: Path
    tasks: tuple[str, ...]


NO_PART = {
    "price_in", "price_out", "currency", "timeout_s", "tries", "backoff_s", "max_wait_s", "give_up_after",
    "concurrency", "batch_size", "api_key_env",
}  # fmt: skip
"""How a generator is asked, and what that costs, is no part of what it writes."""


def adapter_step(name: str, spec: ExpertSpec, base: Step, project: Project) -> Step:
    """The step that trains an expert. How often it saves a checkpoint is no part of its id; its data are."""
    # Defaults are left out, so that a new option at its default does not make every trained expert another one.
    passes = [one.model_dump(exclude={"save_steps"}, exclude_defaults=True) for one in spec.passes]
    home = project.home
    corpora = [{**one.model_dump(exclude_defaults=True), "data": _data(one, home)} for one in spec.corpora]
    lora = {**spec.lora.model_dump(exclude_defaults=True), "dropout": spec.lora.dropout} if spec.lora else None
    plain = {"corpora": corpora, "lora": lora, "full": spec.full, "train": passes[0], "seed": spec.seed}
    if spec.then:
        plain["then"] = passes[1:]
    if spec.generator:
        plain["generator"] = {
            **spec.generator.model_dump(exclude={"by": NO_PART}),
            "prompts": PROMPTS,
            "filters": FILTERS,
        }
    if spec.clean:
        plain["clean"] = spec.clean.model_dump()
    excluded = None
    if spec.exclude:
        folders = project.task_folders()
        tasks = tuple(dict.fromkeys(task for one in spec.exclude for task in project.tasks_named(one)))
        plain["exclude"] = {task: folder_sha256(folders[task]) for task in tasks}
        excluded = Excluded(project.tasks, tasks)
    return Step("adapter", name, plain, (base.id,), {"spec": spec, "exclude": excluded, "home": home})


def expert_step(name: str, base: Step, adapter: Step) -> Step:
    """The step that makes an expert a model of its own."""
    return Step("expert", name, {}, (base.id, adapter.id), {"base_name": base.name})


def _data(corpus: Corpus | FileCorpus, home: Path) -> Plain:
    if isinstance(corpus, FileCorpus):
        path = home / corpus.file
        if not path.is_file():
            raise UserError(f"corpus '{corpus.file}' is no file in {home}. Put it there, or correct its name.")
        return {path.name: file_sha256(path)}
    found = SOURCES[corpus.source]
    if found.package:
        return {found.package: version(found.package)}
    return {file.name: file.sha256 for file in found.files if file.name in FORMATS[corpus.source, corpus.format].files}


def score_step(name: str, role: Role, tasks: Plain, how: Asking, model_id: str, project: Project) -> Step:
    """The step that scores a model on the tasks of a suite. The batch size is no part of its id."""
    spec = {"role": role, "tasks": tasks, "limit": how.limit, "dtype": how.dtype, "chat": how.chat}
    if measures := {name: given for name in MEASURES if (given := os.environ.get(name))}:
        spec["measures"] = measures
    options = {"batch_size": how.batch_size, "tasks": project.tasks}
    return Step("score", f"{name}-{role}", spec, (model_id,), options)


def merge_step(name: str, spec: MergeSpec, ids: Mapping[str, str], options: Mapping[str, Any]) -> Step:
    """The step of a merge of models with these ids by their names in it; how they are called is no part of its id."""
    positions = {reference: str(index) for index, reference in enumerate(spec.references)}
    # Defaults are left out, so that a new option at its default does not make every merge another one.
    plain = spec.renamed(positions).model_dump(exclude_defaults=True)
    return Step("merge", name, plain, tuple(ids[reference] for reference in spec.references), options)


def plan(declared: Declared) -> Plan:
    """The plan of a run. Raises UserError when a local folder that it names is not there."""
    return _Planner(declared).plan()


class _Planner:
    """Adds steps in order, each once."""

    def __init__(self, declared: Declared) -> None:
        self.declared = declared
        self.steps: dict[str, Step] = {}
        self.models: dict[str, Step] = {}
        self.scored: dict[str, Scored] = {}
        self.suites: dict[Role, tuple[Plain, tuple[Unavailable, ...]]] = {
            role: tasks_of(declared.suites[role], declared.project) for role in ROLES
        }

    def add(self, step: Step) -> Step:
        return self.steps.setdefault(step.id, step)

    def plan(self) -> Plan:
        run = self.declared.run
        base_file = self.declared.project.model_file(run.base)
        base = self.add(base_step(run.base, self.declared.base, base_file))
        self.models[BASE] = base
        self.score(BASE, base)
        for name in run.trained:
            spec = self.declared.experts[name]
            adapter = self.add(adapter_step(name, spec, base, self.declared.project))
            self.models[name] = self.add(expert_step(name, base, adapter))
            self.score(name, self.models[name])
        for merge in self.declared.merges:
            self.models[merge.name] = self.merge(merge)
            self.score(merge.name, self.models[merge.name], ("validation",) if merge.intermediate else ROLES)
        for search in self.declared.searches:
            self.models[search.name] = self.found(search)
            self.score(search.name, self.models[search.name])
        candidates = [merge.name for merge in self.declared.merges if not merge.intermediate]
        candidates += [search.name for search in self.declared.searches]
        select = self.add(self.choice("select", run.run, candidates, run.select.model_dump()))
        align = self.align(run.handoff, select)
        unavailable = tuple(missing for _, found in self.suites.values() for missing in found)
        return Plan(self.declared, tuple(self.steps.values()), tuple(self.scored.values()), unavailable, select, align)

    def merge(self, merge: Merge) -> Step:
        ids = {reference: self.input(reference, merge.members).id for reference in merge.references}
        return self.add(merge_step(merge.name, merge.spec, ids, {"merge": merge}))

    def found(self, search: Search) -> Step:
        """The merge that a search comes to."""
        tasks, _ = self.suites["validation"]
        asked = score_step(search.name, "validation", tasks, self.declared.run.score, "", self.declared.project)
        ids = {reference: self.input(reference, search.members).id for reference in search.references}
        models = [{"model": str(index), "parameters": one.parameters} for index, one in enumerate(search.models)]
        spec = {"search": search.spec.model_dump(exclude_defaults=True), "models": models, "asked": asked.spec}
        inputs = list(ids.values())
        if rule := self.declared.run.select.model_dump(include={"at_least", "max_drop"}, exclude_defaults=True):
            spec["rule"] = rule
            inputs.append(self.scored[BASE].scores["validation"].id)
        # A larger budget goes on with what was tried.
        endless = {**spec, "search": search.spec.model_dump(exclude_defaults=True, exclude={"budget", "minutes"})}
        journal = content_id("search", VERSIONS["search"], endless, tuple(inputs))
        options = {"search": search, "ids": ids, "asked": asked, "journal": journal}
        step = self.add(Step("search", search.name, spec, tuple(inputs), options))
        return self.add(Step("merge", search.name, {}, (step.id, *ids.values()), {"search": search}))

    def input(self, reference: str, members_of: Mapping[str, tuple[str, ...]]) -> Step:
        members = members_of.get(reference)
        if members is None:
            return self.models[reference]
        name = re.sub(r"[^A-Za-z0-9.]+", "-", reference).strip("-")
        return self.add(self.choice("pick", name, list(members), {"by": "mean"}))

    def choice(self, kind: StepKind, name: str, candidates: list[str], rule: Plain) -> Step:
        """A choice among candidates by their validation scores, with the base's as baseline."""
        read = [self.scored[BASE], *(self.scored[name] for name in candidates)]
        inputs = tuple(scored.scores["validation"].id for scored in read)
        return Step(kind, name, {"rule": rule, "candidates": candidates}, inputs, {"scored": tuple(read)})

    def score(self, name: str, model: Step, roles: Iterable[Role] = ROLES) -> None:
        score = self.declared.run.score
        scores: dict[Role, Step] = {}
        for role in roles:
            tasks, _ = self.suites[role]
            scores[role] = self.add(score_step(name, role, tasks, score, model.id, self.declared.project))
        self.scored[name] = Scored(name, model, scores)

    def align(self, handoff: Handoff | None, select: Step) -> Step | None:
        if handoff is None or not handoff.execute:
            return None
        spec = {
            "sft": _stage(handoff.sft, self.declared.file),
            "dpo": _stage(handoff.dpo, self.declared.file),
            "seed": handoff.seed,
        }
        align = self.add(Step("align", "aligned", spec, (select.id,), {"handoff": handoff, "select": select}))
        self.score("aligned", align)
        return align


def data_file(stage: Stage, declared_in: Path) -> Path:
    """The training rows of an alignment stage: a path beside the run file, else a set that the package ships."""
    for path in (declared_in.parent / stage.data, PREFERENCES / stage.data):
        if path.is_file():
            return path
    raise UserError(f"{declared_in}: alignment data '{stage.data}' is neither beside the file nor shipped.")


def _stage(stage: Stage, declared_in: Path) -> Plain:
    return {**stage.model_dump(exclude={"data"}), "data_sha256": file_sha256(data_file(stage, declared_in))}
