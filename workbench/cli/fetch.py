"""`workbench fetch`: open data sets into the cache."""

from __future__ import annotations

import argparse
import os

from workbench.cli.console import console
from workbench.data.catalogue import SOURCES
from workbench.data.sources import fetch, missing
from workbench.errors import UserError
from workbench.specs.load import did_you_mean


def arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the verb."""
    parser.add_argument("sources", nargs="*", help="names of sources; without any, all are listed and none is fetched")


def main(options: argparse.Namespace) -> int:
    """Fetch the named sources, each with its licence; list them all when none is named."""
    os.environ["TQDM_DISABLE"] = "0"  # here the library's bar is the progress that is wanted
    for name in options.sources:
        if name not in SOURCES:
            raise UserError(f"unknown source '{name}'. {did_you_mean(name, SOURCES)}")
    for name in options.sources or SOURCES:
        source = SOURCES[name]
        if options.sources:
            fetch(name)
        state = "[yellow]not here[/]" if missing(name) else "[green]at hand[/]"
        console.print(f"{state}  [bold]{name}[/]  {source.licence}\n          [dim]{source.attribution}[/]")
    return 0
