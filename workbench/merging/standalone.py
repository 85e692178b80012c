"""One merge outside a run: an unmodified mergekit YAML, with folders and `base+adapter` inputs, into a new folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from workbench.ids import file_sha256
from workbench.merging.merge import merge
from workbench.merging.newfolder import new_folder
from workbench.merging.places import Place
from workbench.merging.references import folders_of, read_merge
from workbench.merging.stream import Options
from workbench.progress import Progress, silent
from workbench.provenance import capture
from workbench.records import plain
from workbench.specs.merge import MergeSpec
from workbench.store import write_json


def merge_file(
    path: Path, out: Path, seed: int | None = None, options: Options | None = None, progress: Progress = silent
) -> MergeSpec:
    """Run the merge that `path` declares; `out` appears whole or not at all. The merge as it was run comes back.

    Model paths are relative to the working directory, as in mergekit. Raises SpecError, DataMissing, Incompatible.
    """
    options = options or Options()
    spec = read_merge(path, seed)
    with new_folder(out) as result:
        places = places_of(spec.references)
        numbers = {name: str(i) for i, name in enumerate(spec.references)}
        written = merge(out.name, spec.renamed(numbers), places, result, options=options, progress=progress)
        write_json(result / "manifest.json", _manifest(spec, places, result, written, options.threads))
    return spec


def places_of(references: Sequence[str]) -> list[Place]:
    """Where models lie that are called by folder, or `base folder+adapter folder`.

    Their draws are keyed by the last part of the path, so that the same recipe gives the same weights on every
    machine; by the whole reference where two end alike. Raises DataMissing for a folder that is not there.
    """
    ends = Counter(Path(name).name for name in references)
    return [_place(name, Path(name).name if ends[Path(name).name] == 1 else name) for name in references]


def _place(name: str, expert: str) -> Place:
    folder, adapter = folders_of(name, download=True)
    return Place(name, expert, folder, adapter, str(folder))


def _manifest(
    spec: MergeSpec, places: Sequence[Place], out: Path, written: dict[str, str], threads: int
) -> dict[str, Any]:
    """Recipe, inputs and outputs with their hashes, and what made them."""
    files = {p.name: written.get(p.name) or file_sha256(p) for p in sorted(out.iterdir()) if p.is_file()}
    weights = sorted({path for place in places for path in _weights(place)})
    with ThreadPoolExecutor(threads) as pool:
        sha256 = dict(zip(weights, pool.map(file_sha256, weights), strict=True))
    inputs = [{"name": place.name, "files": {p.name: sha256[p] for p in _weights(place)}} for place in places]
    return {
        "kind": "merge",
        "spec": spec.model_dump(mode="json", exclude_defaults=True),
        "inputs": inputs,
        "files": files,
        "provenance": plain(capture()),
    }


def _weights(place: Place) -> list[Path]:
    folders = [place.folder, *([place.adapter] if place.adapter else [])]
    return [path for folder in folders for path in sorted(folder.glob("*.safetensors"))]
