"""Arguments and look-ups that several verbs share."""

from __future__ import annotations

import argparse
from pathlib import Path

from workbench.errors import UserError
from workbench.specs.project import Declared, load_run


def run_argument(parser: argparse.ArgumentParser) -> None:
    """The run file, in full or shortened."""
    parser.add_argument("run", help="a run file, or its name in merges/ (demo for merges/demo.yaml)")
    parser.add_argument(
        "--limit", type=count, help="so many items of every task: a shortened run, with a folder of its own"
    )


def runs_argument(parser: argparse.ArgumentParser) -> None:
    """The folder of results."""
    parser.add_argument(
        "--runs", type=Path, default=Path("runs"), help="folder for everything computed (default: runs)"
    )


def count(text: str) -> int:
    """A whole number from 1 on."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is no count. Give a whole number, 1 or more.")
    return int(text)


def declared_run(options: argparse.Namespace) -> Declared:
    """What the run file of `run_argument` declares. Raises UserError for its problems."""
    declared = load_run(run_file(options.run))
    return declared if options.limit is None else declared.shortened(options.limit)


def run_file(given: str) -> Path:
    """The run file that the user means. Raises UserError when there is none."""
    for path in (Path(given), Path("merges") / f"{given}.yaml", Path("merges") / given):
        if path.is_file():
            return path
    known = ", ".join(sorted(p.stem for p in Path("merges").glob("*.yaml"))) or "none here"
    raise UserError(f"{given}: there is no such run file. In merges/: {known}.")
