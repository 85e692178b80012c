"""What an unmodified mergekit YAML declares, and which folders it means. Loads no heavy library."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from workbench.errors import DataMissing, UserError
from workbench.specs.load import Document, raise_problems, read_yaml, validate
from workbench.specs.merge import MergeSpec
from workbench.specs.methods import METHODS

DEFAULT_SEED = 0
WANTED = ("*.safetensors", "*.json", "*.jinja", "*.model", "merges.txt")
"""Files of a hub repository that a merge reads; no pickles, no code."""


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


def folders_of(reference: str, download: bool = False) -> tuple[Path, Path | None]:
    """The folder of a model, or of a base and an adapter in `base+adapter`.

    What is no folder is looked up as a hub id (`owner/name`, `owner/name@revision`) among what was downloaded before;
    with `download` it is fetched if it names its revision: a typo in a path must not become a download. Raises
    DataMissing where there is neither.
    """
    base, plus, adapter = reference.partition("+")
    return _folder(base, download), _folder(adapter, download) if plus else None


def _folder(name: str, download: bool) -> Path:
    if Path(name).is_dir():
        return Path(name)
    if not re.fullmatch(r"[\w.-]+/[\w.-]+(@[\w./-]+)?", name):
        raise DataMissing(f"model '{name}' is no folder here. Download it first, then give its path.")
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    repository, _, revision = name.partition("@")
    fetch = download and bool(revision)
    try:
        found = snapshot_download(
            repository, revision=revision or None, allow_patterns=list(WANTED), local_files_only=not fetch
        )
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        way_out = "the hub does not give it" if fetch else f"was not downloaded. Pin it ({repository}@REVISION)"
        raise DataMissing(
            f"model '{name}' is no folder here, and {way_out}. Or download it and give its path."
        ) from error
    return Path(found)
