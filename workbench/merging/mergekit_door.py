"""The only place that imports mergekit: one merge, run through its Python API into a folder."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from workbench.errors import StepFailed
from workbench.merging.compatible import check_models
from workbench.merging.finish import Card, check_finite, check_output, copy_companions, write_card, write_config
from workbench.specs.merge import MergeSpec
from workbench.specs.methods import METHODS
from workbench.store import write_text

WRITTEN_BY_MERGEKIT = ("mergekit_config.yml", "README.md", "config.json")


def merge(
    name: str,
    spec: MergeSpec,
    models: Sequence[tuple[str, Path]],
    base: Path,
    out: Path,
    licences: tuple[str, ...] = (),
) -> None:
    """Merge `models` (name and folder, as `spec.models[i].model` counts them: "0", "1", ...) into `out`.

    `base` gives config, tokenizer and chat template. Arithmetic runs in `spec.dtype`, is rounded once to
    `spec.out_dtype`, and draws from `spec.seed` alone.

    Raises Incompatible before a weight is read when the models do not fit one another, and afterwards when an input
    holds NaN; StepFailed when the result is not a whole, finite model.
    """
    check_models(models)
    for model_name, folder in models:
        check_finite(folder, model_name)
    _run(spec, [folder for _, folder in models], out)
    for leftover in WRITTEN_BY_MERGEKIT:
        (out / leftover).unlink(missing_ok=True)
    write_config(base, out, spec.out_dtype)
    copy_companions(base, out)
    recipe = yaml.safe_dump(spec.model_dump(mode="json", exclude_none=True), sort_keys=False)
    write_text(out / "recipe.yaml", recipe)
    method = METHODS[spec.merge_method]
    write_card(Card(name, method.name, method.paper, tuple(n for n, _ in models), recipe, licences), out)
    check_output(base, out)


def lower(spec: MergeSpec, folders: Sequence[Path]) -> dict[str, Any]:
    """The merge as a mergekit configuration, with folders in place of input numbers."""
    config = spec.model_dump(mode="json", exclude_none=True, exclude={"seed"})
    for entry in config["models"]:
        entry["model"] = str(folders[int(entry["model"])])
    if "base_model" in config:
        config["base_model"] = str(folders[int(config["base_model"])])
    return config


def _run(spec: MergeSpec, folders: Sequence[Path], out: Path) -> None:
    import torch
    from mergekit.config import MergeConfiguration
    from mergekit.io.tasks import LoaderCache
    from mergekit.merge import run_merge
    from mergekit.options import MergeOptions

    options = MergeOptions(
        random_seed=spec.seed, copy_tokenizer=False, write_model_card=False, quiet=True, trust_remote_code=False
    )
    with _own_random_state(torch), _distinct(folders) as places:
        configuration = MergeConfiguration.model_validate(lower(spec, places))
        try:
            run_merge(configuration, str(out), options)
        except (RuntimeError, ValueError, KeyError) as error:
            raise StepFailed(f"mergekit could not run '{spec.merge_method}': {error}") from error
        finally:
            LoaderCache().loaders.clear()  # kept by path for the whole process: the next folder there would be ignored


@contextmanager
def _distinct(folders: Sequence[Path]) -> Iterator[list[Path]]:
    """The folders, a link in place of one that comes again: two picks may choose one model, mergekit refuses it."""
    with tempfile.TemporaryDirectory(prefix="workbench-") as links:
        places: list[Path] = []
        for index, folder in enumerate(folders):
            place = folder
            if folder in folders[:index]:
                place = Path(links) / str(index)
                place.symlink_to(folder.resolve(), target_is_directory=True)
            places.append(place)
        yield places


@contextmanager
def _own_random_state(torch: Any) -> Iterator[None]:
    """Give back every generator as it was: mergekit seeds Python's, numpy's and torch's."""
    import numpy as np

    python_state, numpy_state = random.getstate(), np.random.get_state()
    with torch.random.fork_rng():
        try:
            yield
        finally:
            random.setstate(python_state)
            np.random.set_state(numpy_state)
