"""What a checkpoint holds, read from headers and small files alone: no weight is touched, no torch is loaded."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.errors import Incompatible

INDEX = "model.safetensors.index.json"
_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")


@dataclass(frozen=True)
class TensorHeader:
    """Name, shape and safetensors dtype (such as "BF16") of one tensor; the file that holds it, and where (bytes)."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    file: str
    start: int
    bytes: int


def read_file(path: Path) -> dict[str, TensorHeader]:
    """Headers of one safetensors file. Raises Incompatible when it is truncated or no safetensors file."""
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(8)
        if len(start) < 8:
            raise Incompatible(f"{path}: truncated ({size} bytes). Copy or download it again.")
        (length,) = struct.unpack("<Q", start)
        if length > min(size - 8, 100 << 20):
            raise Incompatible(f"{path}: truncated, or no safetensors file ({size} bytes). Copy or download it again.")
        try:
            header: dict[str, Any] = json.loads(file.read(length))
            header.pop("__metadata__", None)
            end = 8 + length + max((int(entry["data_offsets"][1]) for entry in header.values()), default=0)
        except (ValueError, TypeError, AttributeError, LookupError) as error:
            raise Incompatible(f"{path}: no safetensors header ({error}). Is it another format?") from error
    data = 8 + length
    if end != size:
        raise Incompatible(f"{path}: truncated, {size} of {end} bytes are there. Copy or download it again.")
    return {
        name: TensorHeader(name, tuple(entry["shape"]), entry["dtype"], path.name, data + begin, end - begin)
        for name, entry in header.items()
        for begin, end in [entry["data_offsets"]]
    }


def read_folder(folder: Path) -> dict[str, TensorHeader]:
    """Headers of all tensors of a checkpoint, sharded or not.

    Raises Incompatible for pickles only, a shard that the index names and that is not there, a tensor that the index
    places in a shard that lacks it, and truncated files.
    """
    index = folder / INDEX
    if index.is_file():
        return _sharded(folder, index)
    single = folder / "model.safetensors"
    if single.is_file():
        return read_file(single)
    if pickles := sorted(p.name for pattern in _PICKLES for p in folder.glob(pattern)):
        raise Incompatible(
            f"{folder}: weights are pickled ({pickles[0]}), which can run code when loaded. Convert them on a machine "
            'you trust: python -c "from transformers import AutoModelForCausalLM as M; '
            f"M.from_pretrained('{folder}').save_pretrained('{folder}-safe')\""
        )
    raise Incompatible(f"{folder}: holds no model.safetensors and no {INDEX}. Is it a checkpoint folder?")


def _sharded(folder: Path, index: Path) -> dict[str, TensorHeader]:
    try:
        places: Mapping[str, str] = json.loads(index.read_text())["weight_map"]
    except (ValueError, KeyError, TypeError) as error:
        raise Incompatible(f"{index}: is no index of shards ({error}). Save the model again.") from error
    shards = {}
    for shard in sorted(set(places.values())):
        if Path(shard).name != shard:
            raise Incompatible(f"{index}: shard '{shard}' points outside its folder. Refused.")
        if not (folder / shard).is_file():
            raise Incompatible(f"{folder}: shard {shard} of the index is not there. Copy or download it again.")
        shards[shard] = read_file(folder / shard)
    for name, shard in places.items():
        if name not in shards[shard]:
            raise Incompatible(f"{folder}: tensor {name} is not in {shard}, where the index places it. Save it again.")
    return {name: shards[shard][name] for name, shard in places.items()}


def config_of(folder: Path) -> dict[str, Any]:
    """config.json of a checkpoint. Raises Incompatible when it is missing or no JSON."""
    try:
        config: dict[str, Any] = json.loads((folder / "config.json").read_text())
    except FileNotFoundError as error:
        raise Incompatible(f"{folder}: holds no config.json. Is it a checkpoint folder?") from error
    except ValueError as error:
        raise Incompatible(f"{folder}/config.json: is no JSON ({error}). Copy it again.") from error
    return config
