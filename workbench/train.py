"""Training one expert outside a run: base, then adapter, in the same store and under the same ids as in a run."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from workbench.data.reading import licence_of
from workbench.plan import Step, adapter_step, base_step
from workbench.progress import Progress, silent
from workbench.specs.models import BaseSpec, ExpertSpec
from workbench.specs.project import Project
from workbench.steps import base_files, made, train_adapter
from workbench.store import Artifact, Store


def training_plan(project: Project, name: str, spec: ExpertSpec, base: BaseSpec) -> tuple[Step, Step]:
    """The base step and the adapter step of an expert."""
    first = base_step(spec.base, base, project.model_file(spec.base))
    return first, adapter_step(name, spec, first, project)


def train_expert(
    project: Project, steps: tuple[Step, Step], store: Store, starting: Callable[[Step], None], progress: Progress
) -> Artifact:
    """The adapter's artifact: found in the store, or trained now (a killed training goes on at its checkpoint)."""
    from workbench.training import workers

    base, adapter = steps
    licences = tuple(map(licence_of, adapter.options["spec"].corpora))
    starting(base)
    with workers.first():
        model = made(base, store, lambda out: base_files(base, project, out), licences)
    starting(adapter)
    if not workers.writes():  # it trains along; what it writes is thrown away
        with tempfile.TemporaryDirectory() as scratch:
            if store.get(adapter.kind, adapter.id) is None:
                train_adapter(adapter, store, model.path, Path(scratch), silent)
    else:
        made(adapter, store, lambda out: train_adapter(adapter, store, model.path, out, progress), licences)
    workers.wait()
    found = store.get(adapter.kind, adapter.id)
    assert found is not None
    return found
