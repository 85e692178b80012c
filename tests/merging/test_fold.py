"""A folded adapter as a folder: float32 whatever the base, its config and tokenizer, nothing else touched."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import tiny
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

from workbench.ids import file_sha256
from workbench.merging.fold import fold


def folded(base: Path, adapter: Path, out: Path) -> dict[str, torch.Tensor]:
    out.mkdir()
    written = fold(base, adapter, "tiny", out)
    assert written == {path.name: file_sha256(path) for path in out.glob("*.safetensors")}
    return tiny.weights_of(out)


def by_peft(base: Path, adapter: Path) -> dict[str, torch.Tensor]:
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    dense = PeftModel.from_pretrained(model, adapter).merge_and_unload()
    return {name: tensor for name, tensor in dense.state_dict().items() if name != "lm_head.weight"}


def assert_equal(found: dict[str, torch.Tensor], wanted: dict[str, torch.Tensor]) -> None:
    assert found.keys() == wanted.keys()
    for name, tensor in wanted.items():
        torch.testing.assert_close(found[name], tensor, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
def test_every_base_is_folded_in_float32(dtype: torch.dtype, tmp_path: Path) -> None:
    base = tiny.save_model(tmp_path / "base", dtype=dtype)
    adapter = tiny.save_adapter(base, tmp_path / "adapter")
    before = tiny.hashes(base), tiny.hashes(adapter)
    found = folded(base, adapter, tmp_path / "out")
    assert (tiny.hashes(base), tiny.hashes(adapter)) == before
    assert {tensor.dtype for tensor in found.values()} == {torch.float32}
    assert_equal(found, by_peft(base, adapter))
    assert AutoModelForCausalLM.from_pretrained(tmp_path / "out", dtype="auto").dtype == torch.float32


def test_only_what_is_adapted_changes(base: Path, tmp_path: Path) -> None:
    adapter = tiny.save_adapter(base, tmp_path / "adapter", target_modules=["q_proj"], layers_to_transform=[1])
    found, origin = folded(base, adapter, tmp_path / "out"), tiny.weights_of(base)
    changed = [name for name in found if not torch.equal(found[name], origin[name])]
    assert changed == ["model.layers.1.self_attn.q_proj.weight"]


def test_config_and_tokenizer_are_the_bases(base: Path, tmp_path: Path) -> None:
    folded(base, tiny.save_adapter(base, tmp_path / "adapter"), tmp_path / "out")
    ours, theirs = (json.loads((folder / "config.json").read_text()) for folder in (tmp_path / "out", base))
    assert ours == theirs
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "generation_config.json"):
        assert (tmp_path / "out" / name).read_bytes() == (base / name).read_bytes()
    assert AutoTokenizer.from_pretrained(tmp_path / "out").chat_template == tiny.CHATML


def test_a_sharded_base_is_folded(base: Path, tmp_path: Path) -> None:
    sharded = tiny.copy(base, tmp_path / "sharded")
    tiny.shard(sharded)
    adapter = tiny.save_adapter(base, tmp_path / "adapter")
    assert_equal(folded(sharded, adapter, tmp_path / "out"), by_peft(base, adapter))
