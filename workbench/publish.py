"""A trained adapter as the project ships it: weights, config, and a manifest that says what it was made of."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

from workbench.errors import UserError
from workbench.specs.models import ExpertSpec
from workbench.store import Artifact, write_json

MAX_BYTES = 8_000_000
FILES = ("adapter_model.safetensors", "adapter_config.json")


def too_large(artifact: Artifact) -> bool:
    """Whether an adapter has more bytes than the project ships."""
    return _size(artifact) > MAX_BYTES


def _size(artifact: Artifact) -> int:
    return (artifact.path / FILES[0]).stat().st_size


def publish(artifact: Artifact, spec: ExpertSpec, out: Path) -> Path:
    """Put an adapter and its manifest into `out`, in one go. Raises UserError when it is too large to ship."""
    if too_large(artifact):
        raise UserError(
            f"{out.name}: the adapter has {_size(artifact) / 1e6:.1f} MB; at most 8 MB are shipped. Lower lora.r."
        )
    temp = out.with_name(f".{out.name}.tmp-{os.getpid()}")
    shutil.rmtree(temp, ignore_errors=True)
    temp.mkdir()
    for name in FILES:
        shutil.copyfile(artifact.path / name, temp / name)
    config = json.loads((temp / FILES[1]).read_text())
    write_json(temp / FILES[1], {**config, "base_model_name_or_path": spec.base})
    write_json(temp / "manifest.json", _manifest(artifact, spec))
    old = out.with_name(f".{out.name}.old-{os.getpid()}")  # a kill between the two renames leaves both at hand
    if out.exists():
        out.rename(old)
    temp.rename(out)
    shutil.rmtree(old, ignore_errors=True)
    return out


def _manifest(artifact: Artifact, spec: ExpertSpec) -> dict[str, Any]:
    training = artifact.json("training.json")
    return {
        "id": artifact.manifest["id"],
        "expert": artifact.manifest["name"],
        "domain": spec.domain,
        "base": spec.base,
        "spec": artifact.manifest["spec"],
        "training": training,
        "sources": [{k: c[k] for k in ("source", "licence", "attribution")} for c in training["corpora"]],
        "sha256": artifact.manifest["files"][FILES[0]]["sha256"],
        "provenance": artifact.manifest["provenance"],
    }
