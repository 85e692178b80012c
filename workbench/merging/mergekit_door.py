"""The only place that imports mergekit: methods and layouts that have no kernel of ours, run through its Python API."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from workbench.errors import Incompatible, StepFailed
from workbench.ids import file_sha256
from workbench.merging.adapters import Adapted
from workbench.merging.compatible import check_sources
from workbench.merging.finish import copy_companions, write_config
from workbench.merging.fold import fold
from workbench.merging.headers import read_folder
from workbench.merging.kernels.cpu import CpuPasses
from workbench.merging.kernels.workers import Workers
from workbench.merging.sources import FLOATS, Checkpoint, Source
from workbench.specs.merge import MergeSpec

WRITTEN_BY_MERGEKIT = ("mergekit_config.yml", "README.md", "config.json")


def run(spec: MergeSpec, sources: Sequence[Source], donor: Source, out: Path) -> dict[str, str]:
    """Merge into `out`; `spec` calls the sources by their numbers. The sha256 of every file of weights comes back.

    Where mergekit maps vocabularies or chooses a chat template, its tokenizer files are kept; else the donor's are.
    Raises Incompatible when an input holds NaN or infinity, StepFailed when mergekit fails or loses tensors.
    """
    tokenizer = bool(spec.tokenizer_source or spec.tokenizer or spec.chat_template)
    whole = not (spec.slices or spec.modules)
    if whole and not tokenizer:
        check_sources(sources, donor, fills=False)
    for source in sources:
        _check_finite(source)
    with tempfile.TemporaryDirectory(prefix=".inputs-", dir=out.parent) as temp:
        _run(spec, [_dense(source, Path(temp) / str(i)) for i, source in enumerate(sources)], out)
    config = (out / "config.json").read_text()
    for leftover in WRITTEN_BY_MERGEKIT:
        (out / leftover).unlink(missing_ok=True)
    if whole and not tokenizer:
        write_config(donor.config, out, spec.out_dtype or spec.dtype or str(donor.config.get("dtype", "float32")))
        _check_names(donor, out)
    else:
        (out / "config.json").write_text(config)
    copy_companions(donor.folder, None if tokenizer else donor.tokenizer, out)
    _check_finite(Checkpoint(out.name, "", out))
    return {path.name: file_sha256(path) for path in sorted(out.glob("*.safetensors"))}


def _dense(source: Source, place: Path) -> Path:
    """A folder of the source; a link where it is one, so that one model may come twice, which mergekit refuses."""
    if isinstance(source, Adapted):
        place.mkdir()
        fold(source.base.folder, source.adapter, source.base.name, place)
    else:
        place.symlink_to(source.folder.resolve(), target_is_directory=True)
    return place


def _check_names(donor: Source, out: Path) -> None:
    """Raise StepFailed when tensors were lost: mergekit drops what its architecture file does not list."""
    if lost := sorted(donor.headers.keys() ^ read_folder(out).keys()):
        raise StepFailed(f"{out.name}: mergekit's result and its base differ in {len(lost)} tensors, first {lost[0]}.")


def _check_finite(source: Source) -> None:
    passes = CpuPasses(Workers())
    for tensor, header in source.headers.items():
        if header.dtype in FLOATS and not passes.finite(source.operand(tensor, None, passes.workers)):
            raise Incompatible(
                f"'{source.name}': {tensor} holds NaN or infinity ({source.place(tensor)}). Mend or leave out that "
                "model."
            )
        source.done(tensor)


def lower(spec: MergeSpec, folders: Sequence[Path]) -> dict[str, Any]:
    """The merge as a mergekit configuration, with folders in place of input numbers."""
    named = spec.renamed({str(i): str(folder) for i, folder in enumerate(folders)})
    config = named.model_dump(mode="json", exclude_unset=True, exclude={"seed", "variant"})
    return {key: value for key, value in config.items() if value not in (None, [], {})}


def _run(spec: MergeSpec, folders: Sequence[Path], out: Path) -> None:
    import torch
    from mergekit.config import MergeConfiguration
    from mergekit.io.tasks import LoaderCache
    from mergekit.merge import run_merge
    from mergekit.options import MergeOptions

    tokenizer = bool(spec.tokenizer_source or spec.tokenizer or spec.chat_template)
    options = MergeOptions(
        random_seed=spec.seed, copy_tokenizer=tokenizer, write_model_card=False, quiet=True, trust_remote_code=False
    )
    with _own_random_state(torch):
        configuration = MergeConfiguration.model_validate(lower(spec, folders))
        try:
            run_merge(configuration, str(out), options)
        except (RuntimeError, ValueError, KeyError) as error:
            raise StepFailed(f"mergekit could not run '{spec.merge_method}': {error}") from error
        finally:
            LoaderCache().loaders.clear()  # kept by path for the whole process: the next folder there would be ignored


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
