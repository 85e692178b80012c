"""A run file with everything it names, loaded and checked together: base, experts, suites. Nothing is run."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from workbench.data.catalogue import SOURCES
from workbench.data.formats import FORMATS, formats_of
from workbench.specs.expand import ALIGNED, BASE, Merge, expand
from workbench.specs.load import Document, Spec, did_you_mean, raise_problems, read_yaml, validate
from workbench.specs.models import BaseSpec, ExpertSpec, FileCorpus
from workbench.specs.run import RunSpec
from workbench.specs.searches import Search
from workbench.specs.suite import SuiteSpec


@dataclass(frozen=True)
class Project:
    """The folder that holds experts/, merges/ and benchmarks/."""

    root: Path
    declarations: Path | None = None
    """Folder of the expert at hand, where it is declared in another than experts/."""

    @property
    def home(self) -> Path:
        """The folder of experts' declarations: their files are looked up from it, their adapters lie in it."""
        return self.declarations or self.root / "experts"

    @staticmethod
    def around(path: Path) -> Project:
        """The nearest folder at or above a file that holds experts/; the working directory if there is none."""
        for folder in path.resolve().parents:
            if (folder / "experts").is_dir():
                return Project(folder)
        return Project(Path.cwd())

    def model_file(self, name: str) -> Path:
        """Declaration of a base or an expert."""
        return self.root / "experts" / f"{name}.yaml"

    def suite_file(self, name: str) -> Path:
        """Declaration of a suite."""
        return self.root / "benchmarks" / "suites" / f"{name}.yaml"

    @property
    def tasks(self) -> Path:
        """Folder of the lm-eval tasks."""
        return self.root / "benchmarks" / "tasks"

    def shown(self, path: Path) -> str:
        """A path as the user would type it: relative to the working directory or the project where possible."""
        for root in (Path.cwd(), self.root):
            if path.resolve().is_relative_to(root.resolve()):
                return str(path.resolve().relative_to(root.resolve()))
        return str(path)

    def task_folders(self) -> dict[str, Path]:
        """Folder of every lm-eval task or group that the project declares, by name."""
        found = {}
        for path in sorted(self.tasks.glob("*/*.yaml")):
            for name in re.findall(r"^(?:task|group): *[\"']?(\w[\w.-]*)", path.read_text(), re.MULTILINE):
                found[name] = path.parent
        return found

    def tasks_named(self, name: str) -> tuple[str, ...]:
        """The tasks of a suite, or the task itself."""
        if self.suite_file(name).is_file():
            _, suite = load_suite(self.suite_file(name))
            return tuple(entry.task for entry in suite.tasks)
        return (name,)


@dataclass(frozen=True)
class Declared:
    """A run with all it names, every problem already raised."""

    project: Project
    file: Path
    run: RunSpec
    base: BaseSpec
    experts: Mapping[str, ExpertSpec]
    merges: tuple[Merge, ...]
    searches: tuple[Search, ...]
    suites: Mapping[str, SuiteSpec]
    """By role."""
    limit: int | None = None
    """Items of every task, where the command asks for fewer than the file."""

    def shortened(self, limit: int) -> Declared:
        """The same run on so many items of every task, under a name of its own."""
        score = self.run.score.model_copy(update={"limit": limit})
        run = self.run.model_copy(update={"run": f"{self.run.run}-limit-{limit}", "score": score})
        return replace(self, run=run, limit=limit)


def kind_of(path: Path) -> str:
    """The kind of model that a file of experts/ declares; empty where it says none."""
    value = read_yaml(path, str(path)).value
    return str(value.get("kind", "")) if isinstance(value, dict) else ""


def load_expert(path: Path) -> tuple[Project, ExpertSpec, BaseSpec]:
    """An expert with its base. Raises SpecError with every problem of both files."""
    project = replace(Project.around(path), declarations=path.resolve().parent)
    document = read_yaml(path, project.shown(path))
    spec = validate(document, ExpertSpec)
    if spec is not None:
        _check_corpora(spec, document, project)
    base_document, base = _load(project, project.model_file(spec.base), BaseSpec) if spec else (document, None)
    raise_problems([document, base_document])
    assert spec is not None
    assert base is not None
    return project, spec, base


def load_base(path: Path) -> BaseSpec:
    """A base model's declaration. Raises SpecError with every problem of its file."""
    document, base = _load(Project.around(path), path, BaseSpec)
    raise_problems([document])
    assert base is not None
    return base


def load_suite(path: Path) -> tuple[Project, SuiteSpec]:
    """A suite. Raises SpecError with every problem of its file."""
    project = Project.around(path)
    document, suite = _load(project, path, SuiteSpec)
    if suite is not None:
        _check_tasks(suite, document, project.task_folders())
    raise_problems([document])
    assert suite is not None
    return project, suite


def load_run(path: Path) -> Declared:
    """A run with all it names. Raises SpecError with every problem of every file."""
    project = Project.around(path)
    document = read_yaml(path, project.shown(path))
    run = validate(document, RunSpec)
    if run is None:
        raise_problems([document, *_named_in(project, document.value)])
        raise AssertionError("validate records a problem whenever it gives None")
    documents = [document]
    base_document, base = _named(project, document, ("base",), run.base, BaseSpec)
    documents.append(base_document)
    experts = {}
    places = [("experts", index) for index in range(len(run.experts))]
    places += [("baselines", index) for index in range(len(run.baselines))]
    for index, (loc, name) in enumerate(zip(places, run.trained, strict=True)):
        if name in run.trained[:index]:
            document.add(loc, f"expert '{name}' is listed twice. Remove one.")
        if name in (BASE, ALIGNED):
            document.add(loc, f"'{name}' means another model on the board. Rename the expert's file.")
        expert_document, expert = _named(project, document, loc, name, ExpertSpec)
        documents.append(expert_document)
        if expert is not None:
            experts[name] = expert
            _check_corpora(expert, expert_document, project)
            if expert.base != run.base and project.model_file(run.base).is_file():
                document.add(loc, f"expert '{name}' has base '{expert.base}', the run '{run.base}'.")
    suites = {}
    tasks = project.task_folders()
    for role in ("validation", "test"):
        suite_document, suite = _suite(project, document, role, getattr(run.score, role), tasks)
        documents.append(suite_document)
        if suite is not None:
            suites[role] = suite
    merges, searches = expand(run, document)
    raise_problems(documents)
    assert base is not None
    return Declared(project, path, run, base, experts, tuple(merges), tuple(searches), suites)


def _named_in(project: Project, value: Any) -> Iterator[Document]:
    """The files that a faulty run file names, as far as it can be read: their problems belong in the same answer."""
    found = value if isinstance(value, dict) else {}
    experts, score = found.get("experts"), found.get("score")
    named: list[tuple[Any, Callable[[str], Path], type[BaseSpec | ExpertSpec | SuiteSpec]]] = [
        (found.get("base"), project.model_file, BaseSpec),
        *((name, project.model_file, ExpertSpec) for name in (experts if isinstance(experts, list) else [])),
        *((name, project.suite_file, SuiteSpec) for name in (score.values() if isinstance(score, dict) else [])),
    ]
    for name, file, kind in named:
        if isinstance(name, str) and re.fullmatch(r"[\w.-]+", name) and file(name).is_file():
            yield _load(project, file(name), kind)[0]


def _load(project: Project, path: Path, kind: type[Spec]) -> tuple[Document, Spec | None]:
    document = read_yaml(path, project.shown(path))
    return document, validate(document, kind)


def _named(
    project: Project, document: Document, loc: tuple[str | int, ...], name: str, kind: type[Spec]
) -> tuple[Document, Spec | None]:
    """The declaration of a name; a name without a file is a problem of the file that uses it."""
    path = project.model_file(name)
    if not path.is_file():
        known = sorted(p.stem for p in path.parent.glob("*.yaml"))
        document.add(loc, f"'{name}' is not declared in experts/. {did_you_mean(name, known)}")
        return Document(str(path)), None
    return _load(project, path, kind)


def _suite(
    project: Project, document: Document, role: str, name: str, tasks: Mapping[str, Path]
) -> tuple[Document, SuiteSpec | None]:
    path = project.suite_file(name)
    if not path.is_file():
        known = sorted(p.stem for p in path.parent.glob("*.yaml"))
        document.add(("score", role), f"suite '{name}' is not in benchmarks/suites/. {did_you_mean(name, known)}")
        return Document(str(path)), None
    suite_document, suite = _load(project, path, SuiteSpec)
    if suite is None:
        return suite_document, None
    if suite.role != role:
        document.add(("score", role), f"suite '{name}' has role '{suite.role}' and cannot serve as '{role}'.")
    _check_tasks(suite, suite_document, tasks)
    return suite_document, suite


def _check_tasks(suite: SuiteSpec, document: Document, tasks: Mapping[str, Path]) -> None:
    for index, entry in enumerate(suite.tasks):
        at = ("tasks", index)
        if entry.task not in tasks:
            document.add(at, f"unknown task '{entry.task}'. {did_you_mean(entry.task, tasks)}")
        for source in entry.sources:
            if source not in SOURCES:
                document.add(at, f"unknown source '{source}'. {did_you_mean(source, SOURCES)}")


def _check_corpora(spec: ExpertSpec, document: Document, project: Project) -> None:
    tasks = project.task_folders()
    for index, name in enumerate(spec.exclude):
        if name not in tasks and not project.suite_file(name).is_file():
            suites = sorted(path.stem for path in project.suite_file(name).parent.glob("*.yaml"))
            document.add(("exclude", index), f"'{name}' is neither a suite nor a task. {did_you_mean(name, suites)}")
    for index, corpus in enumerate(spec.corpora):
        loc = ("corpora", index)
        if isinstance(corpus, FileCorpus):
            if not (project.home / corpus.file).is_file():
                folder = project.shown(project.home)
                document.add(loc, f"'{corpus.file}' is no file in {folder}/. Put it there, or correct its name.")
        elif corpus.source not in SOURCES:
            document.add(loc, f"unknown source '{corpus.source}'. {did_you_mean(corpus.source, SOURCES)}")
        elif (corpus.source, corpus.format) not in FORMATS:
            formats = formats_of(corpus.source)
            document.add(
                loc,
                f"source '{corpus.source}' has no format '{corpus.format}'. {did_you_mean(corpus.format, formats)}",
            )
