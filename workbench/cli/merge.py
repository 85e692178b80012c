"""`workbench merge`: one merge from a plain mergekit YAML."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.markup import escape

from workbench.cli.console import console


def arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the verb."""
    parser.add_argument("file", type=Path, help="a mergekit YAML (merge_method, models, parameters; seed if it draws)")
    parser.add_argument("-o", "--out", type=Path, required=True, help="new folder for the merged model")


def main(options: argparse.Namespace) -> int:
    """Merge; the folder appears whole or not at all."""
    from workbench.merging.standalone import merge_file

    merge_file(options.file, options.out)
    console.print(f"[green]✔[/] {escape(str(options.out))}", soft_wrap=True)
    return 0
