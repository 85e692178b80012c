"""Models to merge: the demo's base with five synthetic experts, and random models of Llama shapes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from workbench.merging.writer import Slot, writing

EXPERTS = 5
NOISE = 0.1
"""Standard deviation of an expert's noise, relative to its tensor's."""

LLAMAS = {
    "0.5B": {"hidden_size": 896, "intermediate_size": 4864, "num_hidden_layers": 24, "vocab_size": 151936},
    "1.5B": {"hidden_size": 1536, "intermediate_size": 8960, "num_hidden_layers": 28, "vocab_size": 151936},
    "7B": {"hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 32, "vocab_size": 32000},
}
SHARD_BYTES = 2_000_000_000


def demo_base(runs: Path) -> Path:
    """The base model that the demo brought into the store."""
    found = sorted((runs / "store" / "base").glob("[!.]*/config.json"))
    if not found:
        raise SystemExit(f"{runs}: holds no base model. Run first: workbench run merges/demo.yaml")
    return found[0].parent


def experts(base: Path, into: Path, count: int = EXPERTS) -> list[Path]:
    """The base with noise, in bfloat16; written once."""
    weights = None
    folders = []
    for seed in range(count):
        folder = into / f"expert-{seed}"
        folders.append(folder)
        if (folder / "model.safetensors").is_file():
            continue
        weights = weights or load_file(base / "model.safetensors")
        folder.mkdir(parents=True, exist_ok=True)
        for path in base.iterdir():
            if path.is_file() and path.suffix in (".json", ".jinja") and path.name != "manifest.json":
                shutil.copyfile(path, folder / path.name)
        generator = torch.Generator().manual_seed(seed)
        noisy = {
            name: (w.float() + NOISE * w.float().std() * torch.randn(w.shape, generator=generator)).bfloat16()
            for name, w in weights.items()
        }
        save_file(noisy, folder / "model.safetensors", metadata={"format": "pt"})
    return folders


def llama(size: str, folder: Path, seed: int) -> Path:
    """A random bfloat16 model of a Llama shape, sharded. One block of numbers is repeated, so that it is made fast."""
    shape = LLAMAS[size]
    h, i, v = shape["hidden_size"], shape["intermediate_size"], shape["vocab_size"]
    slots = [Slot("model.embed_tokens.weight", "BF16", (v, h))]
    for layer in range(shape["num_hidden_layers"]):
        stem = f"model.layers.{layer}"
        slots += [Slot(f"{stem}.{name}_layernorm.weight", "BF16", (h,)) for name in ("input", "post_attention")]
        slots += [Slot(f"{stem}.self_attn.{name}_proj.weight", "BF16", (h, h)) for name in "qkvo"]
        slots += [Slot(f"{stem}.mlp.{name}_proj.weight", "BF16", (i, h)) for name in ("gate", "up")]
        slots += [Slot(f"{stem}.mlp.down_proj.weight", "BF16", (h, i))]
    slots += [Slot("model.norm.weight", "BF16", (h,)), Slot("lm_head.weight", "BF16", (v, h))]
    folder.mkdir(parents=True)
    config = {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "num_attention_heads": h // 64,
        "num_key_value_heads": h // 64, "tie_word_embeddings": False, "dtype": "bfloat16", **shape,
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config))
    block = np.random.default_rng(seed).standard_normal(1 << 22, dtype=np.float32) * 0.02
    bits = (block.view(np.uint32) >> 16).astype(np.uint16)
    with writing(folder, slots, SHARD_BYTES) as writer:
        for slot in slots:
            writer.put(np.resize(bits, slot.bytes // 2), lambda: None)
    return folder
