"""Checkpoints that cannot be merged: refused in one sentence, and nothing is written."""

from __future__ import annotations

import json
import shutil
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
import tiny
import torch
from safetensors.torch import load_file, save_file

from workbench.errors import Incompatible
from workbench.merging.headers import read_file, read_folder

WEIGHTS = "model.safetensors"
SHARD = "model-00002-of-00002.safetensors"
INDEX = "model.safetensors.index.json"


def no_weights(folder: Path) -> None:
    (folder / WEIGHTS).unlink()


def no_config(folder: Path) -> None:
    (folder / "config.json").unlink()


def broken_config(folder: Path) -> None:
    (folder / "config.json").write_text("{")


def truncated(folder: Path) -> None:
    (folder / WEIGHTS).write_bytes((folder / WEIGHTS).read_bytes()[:-100])


def nearly_empty(folder: Path) -> None:
    (folder / WEIGHTS).write_bytes(b"1234")


def garbage(folder: Path) -> None:
    (folder / WEIGHTS).write_bytes(b"not a checkpoint at all" * 50)


def another_header(folder: Path) -> None:
    text = json.dumps([1, 2, 3]).encode()
    (folder / WEIGHTS).write_bytes(struct.pack("<Q", len(text)) + text)


def header_that_is_no_json(folder: Path) -> None:
    (folder / WEIGHTS).write_bytes(struct.pack("<Q", 4) + b"\xff\xfe{}")


def entry_without_offsets(folder: Path) -> None:
    text = json.dumps({"x": {"dtype": "F32", "shape": [1]}}).encode()
    (folder / WEIGHTS).write_bytes(struct.pack("<Q", len(text)) + text)


def pickle_only(folder: Path) -> None:
    torch.save(load_file(folder / WEIGHTS), folder / "pytorch_model.bin")
    (folder / WEIGHTS).unlink()


def shard_not_there(folder: Path) -> None:
    tiny.shard(folder)
    (folder / SHARD).unlink()


def shard_lacks_a_tensor(folder: Path) -> None:
    tiny.shard(folder)
    weights = load_file(folder / SHARD)
    weights.pop("model.norm.weight")
    save_file(weights, folder / SHARD)


def shard_outside(folder: Path) -> None:
    tiny.shard(folder)
    index = json.loads((folder / INDEX).read_text())
    index["weight_map"]["model.norm.weight"] = f"../elsewhere/{SHARD}"
    (folder / INDEX).write_text(json.dumps(index))


def index_without_a_map(folder: Path) -> None:
    tiny.shard(folder)
    (folder / INDEX).write_text("[]")


DAMAGED: dict[Callable[[Path], None], str] = {
    no_weights: r"holds no model\.safetensors and no model\.safetensors\.index\.json\. Is it a checkpoint folder\?$",
    no_config: r"holds no config\.json\. Is it a checkpoint folder\?$",
    broken_config: r"config\.json: is no JSON \(.*\)\. Copy it again\.$",
    truncated: r"model\.safetensors: truncated, \d+ of \d+ bytes are there\. Copy or download it again\.$",
    nearly_empty: r"model\.safetensors: truncated \(4 bytes\)\. Copy or download it again\.$",
    garbage: r"truncated, or no safetensors file \(1150 bytes\)\. Copy or download it again\.$",
    another_header: r"model\.safetensors: no safetensors header \(.*\)\. Is it another format\?$",
    header_that_is_no_json: r"model\.safetensors: no safetensors header \(.*\)\. Is it another format\?$",
    entry_without_offsets: r"model\.safetensors: no safetensors header \('data_offsets'\)\. Is it another format\?$",
    shard_not_there: rf"shard {SHARD} of the index is not there\. Copy or download it again\.$",
    shard_lacks_a_tensor: r"tensor model\.norm\.weight is not in .*, where the index places it\. Save it again\.$",
    shard_outside: rf"shard '\.\./elsewhere/{SHARD}' points outside its folder\. Refused\.$",
    index_without_a_map: r"is no index of shards \(.*\)\. Save the model again\.$",
}


@pytest.mark.parametrize("damage", DAMAGED, ids=lambda damage: damage.__name__)
def test_a_damaged_checkpoint_is_refused(
    damage: Callable[[Path], None], base: Path, experts: list[Path], tmp_path: Path
) -> None:
    broken = Path(shutil.copytree(experts[0], tmp_path / "broken"))
    damage(broken)
    refused([experts[1], broken], DAMAGED[damage], tmp_path / "second")
    refused([broken, experts[1]], DAMAGED[damage], tmp_path / "first")


def test_pickles_are_refused_with_the_command_that_converts_them(experts: list[Path], tmp_path: Path) -> None:
    broken = Path(shutil.copytree(experts[0], tmp_path / "pickled"))
    pickle_only(broken)
    with pytest.raises(Incompatible) as caught:
        tiny.merged(tiny.recipe("linear"), [experts[1], broken], tmp_path / "out")
    assert str(caught.value) == (
        f"{broken}: weights are pickled (pytorch_model.bin), which can run code when loaded. "
        'Convert them on a machine you trust: python -c "from transformers import AutoModelForCausalLM as M; '
        f"M.from_pretrained('{broken}').save_pretrained('{broken}-safe')\""
    )


def test_the_command_really_converts(experts: list[Path], tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM as M

    broken = Path(shutil.copytree(experts[0], tmp_path / "pickled"))
    pickle_only(broken)
    M.from_pretrained(str(broken)).save_pretrained(f"{broken}-safe")
    found = tiny.weights_of(tmp_path / "pickled-safe")
    assert all(torch.equal(tensor, found[name]) for name, tensor in tiny.weights_of(experts[0]).items())


def test_another_architecture_is_refused(experts: list[Path], tmp_path: Path) -> None:
    other = Path(shutil.copytree(experts[0], tmp_path / "other"))
    tiny.edit_json(other / "config.json", architectures=["MistralForCausalLM"])
    sentence = r"^'other' is a MistralForCausalLM and 'codes' a LlamaForCausalLM\. Only models of one architecture"
    refused([experts[1], other], sentence, tmp_path / "out")


def test_another_width_is_refused(experts: list[Path], tmp_path: Path) -> None:
    other = tiny.save_model(tmp_path / "other", intermediate_size=96)
    sentence = r"mlp\.\w+\.weight is \(.*96.*\) in 'other' and \(.*64.*\) in 'codes'\. Not mergeable\.$"
    refused([experts[1], other], sentence, tmp_path / "out")


def test_missing_and_extra_tensors_are_refused(experts: list[Path], tmp_path: Path) -> None:
    deep = tiny.save_model(tmp_path / "deep", num_hidden_layers=3)
    first = r"model\.layers\.2\.input_layernorm\.weight"
    extra = rf"^'deep' has 9 tensors that 'codes' lacks, the first is {first}\. Not mergeable\.$"
    refused([experts[1], deep], extra, tmp_path / "extra")
    missing = rf"^'codes' lacks 9 tensors of 'deep', the first is {first}\. Not mergeable\.$"
    refused([deep, experts[1]], missing, tmp_path / "missing")


def test_another_tokenizer_is_refused_with_the_first_token_that_differs(experts: list[Path], tmp_path: Path) -> None:
    other = Path(shutil.copytree(experts[0], tmp_path / "other"))
    tokenizer = json.loads((other / "tokenizer.json").read_text())
    vocabulary = tokenizer["model"]["vocab"]
    vocabulary["B"], vocabulary["C"] = vocabulary["C"], vocabulary["B"]
    (other / "tokenizer.json").write_text(json.dumps(tokenizer))
    sentence = (
        r"^'other' has another tokenizer than 'codes' \(first difference: token 'B'\)\. "
        r"Merge models that share one, or add 'tokenizer_source: union', by which mergekit maps the embeddings\.$"
    )
    refused([experts[1], other], sentence, tmp_path / "out")


def test_an_added_token_that_differs_is_refused(experts: list[Path], tmp_path: Path) -> None:
    other = Path(shutil.copytree(experts[0], tmp_path / "other"))
    tokenizer = json.loads((other / "tokenizer.json").read_text())
    tokenizer["added_tokens"].append({**tokenizer["added_tokens"][0], "content": "<note>", "id": 258})
    (other / "tokenizer.json").write_text(json.dumps(tokenizer))
    refused([experts[1], other], r"\(first difference: token '<note>'\)", tmp_path / "out")


def test_a_folder_without_a_tokenizer_is_taken_as_it_is(base: Path, experts: list[Path], tmp_path: Path) -> None:
    bare = Path(shutil.copytree(experts[0], tmp_path / "bare"))
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        (bare / name).unlink()
    tiny.merged(tiny.recipe("task_arithmetic", (1.0,)), [bare, base], tmp_path / "out")
    assert (tmp_path / "out" / "tokenizer.json").is_file()


def test_a_quantised_expert_is_refused(experts: list[Path], tmp_path: Path) -> None:
    # Read as float32, an int8 tensor would be another one, and end behind the file's.
    quantised = Path(shutil.copytree(experts[0], tmp_path / "quantised"))
    weights = load_file(quantised / WEIGHTS)
    weights["model.norm.weight"] = weights["model.norm.weight"].to(torch.int8)
    save_file(weights, quantised / WEIGHTS, metadata={"format": "pt"})
    sentence = r"^model\.norm\.weight is I8 in 'quantised' and F32 in 'codes'\. Dequantise the model first\.$"
    refused([experts[1], quantised], sentence, tmp_path / "out")


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_not_a_number_in_an_input_is_refused(value: float, base: Path, experts: list[Path], tmp_path: Path) -> None:
    broken = Path(shutil.copytree(experts[0], tmp_path / "broken"))
    weights = load_file(broken / WEIGHTS)
    weights["model.layers.1.mlp.up_proj.weight"][3, 4] = value
    save_file(weights, broken / WEIGHTS, metadata={"format": "pt"})
    sentence = (
        r"^'broken': model\.layers\.1\.mlp\.up_proj\.weight holds NaN or infinity \(.*broken/model\.safetensors\)\. "
        r"Mend or leave out that model\.$"
    )
    refused([experts[1], broken], sentence, tmp_path / "out")


def refused(models: list[Path], sentence: str, out: Path) -> None:
    with pytest.raises(Incompatible, match=sentence) as caught:
        tiny.merged(tiny.recipe("linear"), models, out)
    assert "\n" not in str(caught.value)
    assert not list(out.iterdir())


def test_headers_read_shards_as_one_folder(base: Path, tmp_path: Path) -> None:
    sharded = Path(shutil.copytree(base, tmp_path / "sharded"))
    tiny.shard(sharded)
    found, wanted = read_folder(sharded), read_file(base / WEIGHTS)
    assert {n: (h.shape, h.dtype) for n, h in found.items()} == {n: (h.shape, h.dtype) for n, h in wanted.items()}
    assert {header.file for header in found.values()} == {SHARD, "model-00001-of-00002.safetensors"}
    weights = load_file(base / WEIGHTS)
    assert {name: header.shape for name, header in wanted.items()} == {n: tuple(t.shape) for n, t in weights.items()}
    assert {header.dtype for header in wanted.values()} == {"F32"}
