"""Training one expert outside a run: base, then adapter, in the same store and under the same ids as in a run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from workbench.data.catalogue import SOURCES
from workbench.plan import Step, adapter_step, base_step
from workbench.progress import Progress
from workbench.provenance import capture
from workbench.specs.models import BaseSpec, ExpertSpec
from workbench.specs.project import Project
from workbench.steps import train_adapter
from workbench.store import Artifact, Store


def training_plan(project: Project, name: str, spec: ExpertSpec, base: BaseSpec) -> tuple[Step, Step]:
    """The base step and the adapter step of an expert."""
    first = base_step(spec.base, base, project.model_file(spec.base))
    return first, adapter_step(name, spec, first, project)


def train_expert(
    project: Project, steps: tuple[Step, Step], store: Store, starting: Callable[[Step], None], progress: Progress
) -> Artifact:
    """The adapter's artifact: found in the store, or trained now (a killed training goes on at its checkpoint)."""
    from workbench.data.base_model import materialise

    base, adapter = steps
    licences = tuple(f"{c.source}: {SOURCES[c.source].licence}" for c in adapter.options["spec"].corpora)

    def base_files(out: Path) -> None:
        materialise(base.options["spec"], project.model_file(base.name), out)

    def adapter_files(out: Path) -> None:
        train_adapter(adapter, store, made[base.id].path, out, progress)

    made: dict[str, Artifact] = {}
    for step, write in ((base, base_files), (adapter, adapter_files)):
        starting(step)
        found = store.get(step.kind, step.id)
        if found is None:
            with store.writing(step.kind, step.name, step.id) as temp:
                write(temp)
                found = store.commit(temp, step.kind, step.name, step.id, step.spec, capture(licences))
        made[step.id] = found
    return made[adapter.id]
