"""The tasks of a suite that can be asked here, each known by its declaration, its items and the code behind them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from workbench.data.catalogue import SOURCES
from workbench.data.sources import missing
from workbench.ids import Plain, content_id, file_sha256, folder_sha256
from workbench.records import Unavailable
from workbench.specs.project import Project
from workbench.specs.suite import SuiteSpec, TaskEntry

NO_BUILDERS = {"workbench.data.sources", "workbench.data.catalogue", "workbench.data.source"}
"""Modules that look data up and make no item."""


def tasks_of(suite: SuiteSpec, project: Project) -> tuple[Plain, tuple[Unavailable, ...]]:
    """The tasks of a suite whose data are at hand, with the version of their definition; and the others."""
    folders = project.task_folders()
    shared = sorted(path for path in project.tasks.iterdir() if path.is_file())
    common = {path.name: file_sha256(path) for path in shared}
    tasks, unavailable = [], []
    for entry in suite.tasks:
        if reasons := [reason for source in entry.sources if (reason := missing(source))]:
            unavailable.append(Unavailable(entry.name, suite.role, " ".join(reasons)))
            continue
        tasks.append(dict(_task(entry, folders[entry.task], common)))
    return tasks, tuple(unavailable)


def _task(entry: TaskEntry, folder: Path, common: Plain) -> Iterator[tuple[str, Plain]]:
    yield from entry.model_dump(exclude={"sources"}).items()
    yield "confidential", any(SOURCES[source].confidential for source in entry.sources)
    yield "definition", content_id("task", 2, {**common, **builders(folder)}, [folder_sha256(folder)])


def builders(folder: Path) -> Plain:
    """sha256 of the package's files that make the items of a task and score them: what its utils.py imports, and so on.

    Not of the look-up of sources, which changes with every source and makes no item.
    """
    package = Path(__file__).parents[1]
    found: dict[str, str] = {}
    left = sorted(folder.glob("*.py"))
    while left:
        for module in _imported(left.pop()) - NO_BUILDERS - found.keys():
            path = package.joinpath(*module.split(".")).with_suffix(".py")
            if module.startswith(("workbench.data.", "workbench.scoring.")) and path.is_file():
                found[module] = file_sha256(path)
                left.append(path)
    return dict(sorted(found.items()))


def _imported(path: Path) -> set[str]:
    """Everything that may be a module in the `from ... import ...` of a file."""
    nodes = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.ImportFrom)]
    modules = {node.module for node in nodes if node.module}
    return modules | {f"{node.module}.{alias.name}" for node in nodes for alias in node.names}
