"""A LoRA expert as a dense model on disk: W + scale * B A in float32 (Hu et al. 2021), for what reads folders alone.

Kept in float32: an update is often smaller than bfloat16's step at the weight it changes, and rounding here would
lose it before anything is added up.
"""

from __future__ import annotations

from pathlib import Path

from workbench.merging.finish import copy_companions, write_config
from workbench.merging.merger import Merger
from workbench.merging.places import Place, open_sources
from workbench.merging.stream import Options, stream
from workbench.specs.merge import Input, MergeSpec


def fold(base: Path, adapter: Path, base_name: str, out: Path) -> dict[str, str]:
    """Write base + adapter into `out` as float32 safetensors with config and tokenizer; sha256 of the files.

    The tokenizer is the adapter's if it brings one and embeddings for it, else the base's.

    Raises Incompatible when the adapter does not fit the base, or an input holds NaN or infinity.
    """
    spec = MergeSpec(merge_method="passthrough", models=[Input(model="0")], out_dtype="float32")
    (source,) = open_sources([Place(adapter.name, adapter.name, base, adapter, base_name)])
    written = stream(Merger(spec, {"0": source}), out, Options())
    write_config(source.config, out, "float32")
    copy_companions(base, source.tokenizer, out)
    return written
