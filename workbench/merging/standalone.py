"""One merge outside a run: a plain mergekit YAML, model folders and `base+adapter` inputs, into one new folder."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from workbench.errors import DataMissing, StepFailed, UserError
from workbench.merging.fold import fold
from workbench.merging.mergekit_door import merge
from workbench.specs.load import raise_problems, read_yaml, validate
from workbench.specs.merge import MergeSpec
from workbench.store import disk_full


def merge_file(path: Path, out: Path) -> None:
    """Run the merge that `path` declares; `out` appears whole or not at all.

    Model paths are relative to the working directory, as in mergekit. Raises SpecError, DataMissing, Incompatible.
    """
    document = read_yaml(path)
    spec = validate(document, MergeSpec)
    raise_problems([document])
    assert spec is not None
    if out.exists():
        raise UserError(f"{out}: exists already. Name a new folder, or remove it.")
    temp = out.with_name(f".{out.name}.tmp-{os.getpid()}")
    try:
        temp.mkdir(parents=True)
    except OSError as error:
        raise UserError(f"{out}: cannot be written ({error.strerror}). Name a folder you own.") from error
    try:
        references = _references(spec)
        models = [(name, _folder(name, temp / f"input-{i}")) for i, name in enumerate(references)]
        base = spec.base_model or references[0]
        result = temp / "result"
        result.mkdir()
        merge(out.name, _numbered(spec, references), models, models[references.index(base)][1], result)
        result.rename(out)
    except Exception as error:
        if is_disk_full(error):
            raise StepFailed(disk_full(out.parent)) from error
        raise
    finally:
        shutil.rmtree(temp, ignore_errors=True)


def is_disk_full(error: Exception) -> bool:
    """Whether a library's error says so; safetensors has a class of its own for it."""
    return getattr(error, "errno", None) == errno.ENOSPC or "No space left on device" in str(error)


def _references(spec: MergeSpec) -> list[str]:
    listed = [entry.model for entry in spec.models]
    return [*listed, *([spec.base_model] if spec.base_model and spec.base_model not in listed else [])]


def _numbered(spec: MergeSpec, references: Sequence[str]) -> MergeSpec:
    raw = spec.model_dump()
    for entry in raw["models"]:
        entry["model"] = str(references.index(entry["model"]))
    if spec.base_model is not None:
        raw["base_model"] = str(references.index(spec.base_model))
    return MergeSpec.model_validate(raw)


def _folder(name: str, temp: Path) -> Path:
    """A model's folder; `base+adapter` is folded into a temporary one first."""
    base, plus, adapter = name.partition("+")
    for part in (base, adapter) if plus else (base,):
        if not Path(part).is_dir():
            raise DataMissing(f"model '{part}' is no folder here. Download it first, then give its path.")
    if not plus:
        return Path(base)
    temp.mkdir()
    fold(Path(base), Path(adapter), base, temp)
    return temp
