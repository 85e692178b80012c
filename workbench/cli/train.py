"""`workbench train`: train one expert, show what it changed, and put its adapter beside its declaration."""

from __future__ import annotations

import argparse
from pathlib import Path

from workbench.cli.common import runs_argument
from workbench.cli.compared import compared
from workbench.cli.console import Reporter, console
from workbench.publish import publish, too_large
from workbench.specs.models import ExpertSpec
from workbench.specs.project import load_expert
from workbench.store import Artifact, Store
from workbench.train import train_expert, training_plan


def arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the verb."""
    parser.add_argument("expert", type=Path, help="an expert's declaration, such as experts/medcode.yaml")
    runs_argument(parser)


def main(options: argparse.Namespace) -> int:
    """Train, or take what is trained already, then publish the adapter with its manifest."""
    from workbench.training import workers

    project, spec, base = load_expert(options.expert)
    steps = training_plan(project, options.expert.stem, spec, base)
    reporter = Reporter(len(steps))
    with reporter.drawing():
        artifact = train_expert(project, steps, Store(options.runs), reporter.starting, reporter.progress)
    if not workers.writes():
        return 0
    for part in compared(artifact.json("training.json")):
        console.print(part)
    if why := _stays(artifact, spec):
        console.print(f"[green]✔[/] {artifact.path} ({why})")
        return 0
    shipped = publish(artifact, spec, project.home / options.expert.stem)
    console.print(f"[green]✔[/] {project.shown(shipped)} · id {artifact.manifest['id'][:12]}")
    return 0


def _stays(artifact: Artifact, spec: ExpertSpec) -> str:
    """Why a training's result stays in the store; empty where it is shipped."""
    if spec.full:
        return "a full model: it stays in the store, only adapters are shipped"
    return "it stays in the store: at most 8 MB are shipped. To ship it, lower lora.r" if too_large(artifact) else ""
