"""`workbench schema`: JSON Schemas of the YAML files."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from workbench.cli.console import console, wrote
from workbench.specs.common import Spec
from workbench.specs.merge import MergeSpec
from workbench.specs.models import BaseSpec, ExpertSpec
from workbench.specs.run import RunSpec
from workbench.specs.suite import SuiteSpec
from workbench.store import write_json

SCHEMAS: dict[str, type[Spec]] = {
    "run": RunSpec,
    "expert": ExpertSpec,
    "base": BaseSpec,
    "suite": SuiteSpec,
    "merge": MergeSpec,
}


def arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the verb."""
    parser.add_argument("-o", "--out", type=Path, default=Path("runs/schema"), help="folder (default: runs/schema)")


def main(options: argparse.Namespace) -> int:
    """Write one schema a kind of file, and say how an editor finds it."""
    for name, model in SCHEMAS.items():
        path = options.out / f"{name}.schema.json"
        write_json(path, {"$schema": "https://json-schema.org/draft/2020-12/schema", **model.model_json_schema()})
        wrote(path)
    console.print("In an editor with yaml-language-server, put this first in a run file:")
    schema = os.path.relpath(options.out / "run.schema.json", "merges")
    console.print(f"# yaml-language-server: $schema={schema}", style="bold", markup=False, soft_wrap=True)
    return 0
