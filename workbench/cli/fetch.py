"""`workbench fetch`: open data sets into the cache."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from workbench.cli.console import console
from workbench.data.catalogue import SOURCES
from workbench.data.source import Source
from workbench.data.sources import fetch, files_in, missing, path_of, to_download
from workbench.errors import UserError
from workbench.specs.load import did_you_mean
from workbench.specs.models import Corpus
from workbench.specs.project import Project, load_expert, load_suite


def arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the verb."""
    parser.add_argument(
        "sources",
        nargs="*",
        help="names of sources, of suites, or declarations of experts (what they read, and items that they must not "
        "read); without any, all sources are listed and none is fetched",
    )


def main(options: argparse.Namespace) -> int:
    """Fetch the named sources, each with its licence shown first; list them all when none is named."""
    os.environ["TQDM_DISABLE"] = "0"  # here the library's bar is the progress that is wanted
    for name in dict.fromkeys(source for given in options.sources for source in _meant(given)):
        _get(SOURCES[name])
    if not options.sources:
        for source in SOURCES.values():
            console.print(f"{_state(source)}  {_described(source)}")
    return 0


def _meant(given: str) -> list[str]:
    """The sources that a name stands for: itself, those of a suite's tasks, those of an expert."""
    if given in SOURCES:
        return [given]
    project = Project.around(Path.cwd() / "any")
    if project.suite_file(given).is_file():
        return [source for task in load_suite(project.suite_file(given))[1].tasks for source in task.sources]
    if given.endswith(".yaml") and Path(given).is_file():
        _, spec, _ = load_expert(Path(given))
        read = [corpus.source for corpus in spec.corpora if isinstance(corpus, Corpus)]
        suites = [name for name in spec.exclude if project.suite_file(name).is_file()]
        return [*read, *(source for suite in suites for source in _meant(suite))]
    suites = [path.stem for path in project.suite_file("any").parent.glob("*.yaml")]
    raise UserError(f"unknown source '{given}'. {did_you_mean(given, [*SOURCES, *suites])}")


def _get(source: Source) -> None:
    console.print(_described(source))
    for address in to_download(source.name):
        console.print(f"          {address}", style="dim", markup=False, soft_wrap=True)
    fetch(source.name)
    console.print(f"{_state(source)}  {_size(source)}")


def _described(source: Source) -> str:
    return f"[bold]{source.name}[/]  {source.licence}\n          [dim]{source.attribution}[/]"


def _state(source: Source) -> str:
    return "[yellow]not here[/]" if missing(source.name) else "[green]at hand[/]"


def _size(source: Source) -> str:
    """Size of a source's files in words; nothing when they are not here, or in an installed package."""
    if missing(source.name) is not None or not source.files:
        return ""
    files = [path for file in source.files for path in files_in(path_of(source.name, file.name))]
    return f"{len(files)} file{'s' * (len(files) > 1)}, {sum(path.stat().st_size for path in files) / 1e6:.1f} MB"
