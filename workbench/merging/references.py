"""What an unmodified mergekit YAML declares, and which folders it means. Loads no heavy library."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from workbench.errors import DataMissing, UserError
from workbench.specs.load import Document, raise_problems, read_yaml, validate
from workbench.specs.merge import MergeSpec
from workbench.specs.methods import METHODS

DEFAULT_SEED = 0


def read_merge(path: Path, seed: int | None = None) -> MergeSpec:
    """The merge that a mergekit YAML declares. A method that draws gets `seed`, or 0, unless the file has its own.

    Raises SpecError with every problem of the file.
    """
    document = read_yaml(path)
    _add_seed(document, seed)
    spec = validate(document, MergeSpec)
    raise_problems([document])
    assert spec is not None
    if not spec.references:
        raise UserError(f"{path}: lists no models. Add 'models', 'slices' or 'modules'.")
    return spec


def _add_seed(document: Document, seed: int | None) -> None:
    raw: Any = document.value
    if not isinstance(raw, dict) or "seed" in raw:
        return
    method = METHODS.get(str(raw.get("merge_method")))
    if method is not None and method.seeded:
        raw["seed"] = DEFAULT_SEED if seed is None else seed


def folders_of(reference: str) -> tuple[Path, Path | None]:
    """The folder of a model, or of a base and an adapter in `base+adapter`. Raises DataMissing where there is none."""
    base, plus, adapter = reference.partition("+")
    for part in (base, adapter) if plus else (base,):
        if not Path(part).is_dir():
            raise DataMissing(f"model '{part}' is no folder here. Download it first, then give its path.")
    return Path(base), Path(adapter) if plus else None
