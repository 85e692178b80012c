"""One merge into a folder that transformers loads: by our kernels where they can, through mergekit otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import yaml

from workbench.merging.compatible import check_sources
from workbench.merging.finish import Card, copy_companions, write_card, write_config
from workbench.merging.merger import Merger
from workbench.merging.places import Place, open_sources
from workbench.merging.room import check_room
from workbench.merging.shapes import check_loads
from workbench.merging.sources import Source
from workbench.merging.stream import Options, stream
from workbench.merging.vocabulary import keeper, rows_of, with_rows
from workbench.progress import Progress, silent
from workbench.specs.merge import MergeSpec
from workbench.specs.methods import METHODS
from workbench.store import write_text

DTYPES = {"F32": "float32", "F16": "float16", "BF16": "bfloat16"}


def merge(
    name: str,
    spec: MergeSpec,
    places: Sequence[Place],
    out: Path,
    licences: tuple[str, ...] = (),
    options: Options | None = None,
    progress: Progress = silent,
) -> dict[str, str]:
    """Merge `places`, which `spec` calls by their numbers "0", "1", ..., into the folder `out`.

    The base model, else the first one listed, gives config, tokenizer, chat template and generation config; where an
    input has more token embeddings, its tokenizer and their number are taken. What comes back is the sha256 of the
    files of weights.

    Raises Incompatible before a weight is read when the models do not fit one another or the recipe, and afterwards
    when an input holds NaN; StepFailed when the result is not a whole, finite model.
    """
    options = options or Options()
    sources = open_sources(places)
    donor = sources[int(spec.base_model if spec.base_model is not None else spec.references[0])]
    if spec.engine == "kernels":
        check_sources(sources, donor)
        named = {str(i): source for i, source in enumerate(sources)}
        merger = Merger(spec, named)
        check_room(out, sum(slot.bytes for slot in merger.slots))
        written = stream(merger, out, options, progress)
        kept = keeper(merger.inputs, donor)
        config = with_rows(donor.config, rows_of(kept.config))
        floats = [slot for slot in merger.slots if slot.dtype in DTYPES]
        write_config(config, out, DTYPES[max(floats, key=lambda slot: slot.bytes).dtype])
        copy_companions(donor.folder, kept.tokenizer, out)
    else:
        from workbench.merging.mergekit_door import run

        written = run(spec, sources, donor, out)
    seal(name, spec, sources, out, licences)
    return written


def seal(name: str, spec: MergeSpec, sources: Sequence[Source], out: Path, licences: tuple[str, ...]) -> None:
    """Recipe, card, and the check that transformers would load the folder as it is."""
    recipe = yaml.safe_dump(spec.model_dump(mode="json", exclude_defaults=True), sort_keys=False)
    write_text(out / "recipe.yaml", recipe)
    method = METHODS[spec.merge_method]
    engine = "its own kernels" if spec.engine == "kernels" else "mergekit 0.1.5"
    inputs = tuple(source.name for source in sources)
    write_card(Card(name, method.name, method.source, engine, inputs, recipe, licences), out)
    check_loads(out)
