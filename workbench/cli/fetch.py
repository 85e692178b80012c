"""`workbench fetch`: open data sets into the cache."""

from __future__ import annotations

import argparse
import os

from workbench.cli.console import console
from workbench.data.catalogue import SOURCES
from workbench.data.source import Source
from workbench.data.sources import fetch, files_in, missing, path_of, to_download
from workbench.errors import UserError
from workbench.specs.load import did_you_mean


def arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the verb."""
    parser.add_argument("sources", nargs="*", help="names of sources; without any, all are listed and none is fetched")


def main(options: argparse.Namespace) -> int:
    """Fetch the named sources, each with its licence shown first; list them all when none is named."""
    os.environ["TQDM_DISABLE"] = "0"  # here the library's bar is the progress that is wanted
    for name in options.sources:
        if name not in SOURCES:
            raise UserError(f"unknown source '{name}'. {did_you_mean(name, SOURCES)}")
    for name in options.sources:
        _get(SOURCES[name])
    if not options.sources:
        for source in SOURCES.values():
            console.print(f"{_state(source)}  {_described(source)}")
    return 0


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
