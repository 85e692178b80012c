"""What tensors transformers expects of a config, found on the meta device, and remembered by the config's content."""

from __future__ import annotations

import hashlib
import json
import os
from importlib.metadata import version
from pathlib import Path

from workbench.errors import StepFailed
from workbench.merging.headers import TensorHeader, config_of, read_folder
from workbench.store import write_text

IRRELEVANT = ("dtype", "torch_dtype", "transformers_version", "_name_or_path", "use_cache")


def check_loads(folder: Path) -> None:
    """Raise StepFailed unless the folder's tensors are those that transformers builds from its config.json.

    Loading torch and transformers takes seconds, so their answer is kept beside other caches, keyed by the config and
    the version of transformers.
    """
    wanted, tied = _expected(folder)
    found = read_folder(folder)
    _compare(folder.name, found, wanted, tied)


def _compare(name: str, found: dict[str, TensorHeader], wanted: dict[str, list[int]], tied: list[str]) -> None:
    for tensor, header in found.items():
        if tensor in wanted and tuple(wanted[tensor]) != header.shape:
            raise StepFailed(f"{name}: {tensor} is {header.shape}, but config.json says {tuple(wanted[tensor])}.")
    if extra := sorted(found.keys() - wanted.keys()):
        raise StepFailed(f"{name}: {extra[0]} is no tensor of the model that config.json describes.")
    if absent := sorted(wanted.keys() - found.keys() - set(tied)):
        raise StepFailed(f"{name}: lacks {absent[0]}, which config.json asks for.")


def _expected(folder: Path) -> tuple[dict[str, list[int]], list[str]]:
    """Shapes of all tensors by name, and names of those that share another's memory and may be absent."""
    config = {key: value for key, value in config_of(folder).items() if key not in IRRELEVANT}
    text = json.dumps([version("transformers"), config], sort_keys=True)
    remembered = _cache() / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.json"
    try:
        shapes, tied = json.loads(remembered.read_text())
    except (OSError, ValueError):
        shapes, tied = _build(folder)
        try:
            write_text(remembered, json.dumps([shapes, tied]))
        except Exception:  # a cache that cannot be written costs time, nothing else
            return shapes, tied
    return shapes, tied


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "workbench" / "shapes"


def _build(folder: Path) -> tuple[dict[str, list[int]], list[str]]:
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    config = AutoConfig.from_pretrained(folder)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    shapes = {name: list(tensor.shape) for name, tensor in model.state_dict().items()}
    return shapes, sorted(getattr(model, "_tied_weights_keys", None) or ())
