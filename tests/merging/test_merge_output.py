"""What a merge leaves in its folder: a model that others can load, and its record."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import tiny
import torch
import yaml
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

from workbench.errors import StepFailed
from workbench.merging.merge import merge
from workbench.merging.places import Place
from workbench.merging.shapes import check_loads
from workbench.specs.merge import MergeSpec

SPEC = tiny.recipe("dare_ties", (0.5, 0.4), each={"density": [0.5, 0.9]}, out_dtype="bfloat16")


@pytest.fixture(scope="module")
def out(base: Path, experts: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("merged") / "two-experts"
    folder.mkdir()
    places = [Place(n, n, f) for n, f in (("notes", experts[0]), ("codes", experts[1]), ("base", base))]
    merge("two-experts", SPEC, places, folder, ("tiny: CC0", "icd10cm: public domain"))
    return folder


def test_transformers_loads_the_model(out: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(out, dtype="auto")
    assert model.dtype == torch.bfloat16
    assert model.config.architectures == ["LlamaForCausalLM"]
    weights = load_file(out / "model.safetensors")
    assert all(torch.equal(model.state_dict()[name], tensor) for name, tensor in weights.items())
    assert torch.equal(model.lm_head.weight, weights["model.embed_tokens.weight"])  # tied, so absent from the file
    assert torch.isfinite(model(torch.tensor([[5, 6, 7]])).logits).all()


def test_transformers_loads_the_tokenizer_with_its_chat_template(out: Path, base: Path) -> None:
    ours, theirs = AutoTokenizer.from_pretrained(out), AutoTokenizer.from_pretrained(base)
    assert ours.get_vocab() == theirs.get_vocab()
    chat = [{"role": "user", "content": "Hello"}]
    text = ours.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
    assert text == "<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n"


def test_generation_config_is_the_base_s(out: Path) -> None:
    assert GenerationConfig.from_pretrained(out).max_new_tokens == 16


def test_the_config_says_the_dtype_of_the_weights_once(out: Path) -> None:
    config = json.loads((out / "config.json").read_text())
    assert config["dtype"] == "bfloat16"
    assert "torch_dtype" not in config


def test_the_recipe_gives_the_same_bytes_again(out: Path, base: Path, experts: list[Path], tmp_path: Path) -> None:
    spec = MergeSpec.model_validate(yaml.safe_load((out / "recipe.yaml").read_text()))
    assert spec == SPEC
    tiny.merged(spec, [*experts[:2], base], tmp_path / "again")
    assert (tmp_path / "again" / "model.safetensors").read_bytes() == (out / "model.safetensors").read_bytes()


def test_the_card_names_method_inputs_recipe_and_licences(out: Path) -> None:
    card = (out / "README.md").read_text()
    assert card.startswith("---\nlibrary_name: transformers\n")
    assert "# two-experts" in card
    assert "`dare_ties` (Yu et al. 2024, arXiv 2311.03099)" in card
    assert "0. `notes`\n1. `codes`\n2. `base`\n" in card
    assert (out / "recipe.yaml").read_text().rstrip() in card
    assert "Licences of the inputs and their training data: tiny: CC0; icd10cm: public domain." in card
    assert "not for clinical use" in card
    assert str(out.parent) not in card  # no path of this machine


def test_nothing_of_mergekit_s_own_is_left(out: Path) -> None:
    assert sorted(path.name for path in out.iterdir()) == [
        "README.md", "chat_template.jinja", "config.json", "generation_config.json", "model.safetensors",
        "recipe.yaml", "tokenizer.json", "tokenizer_config.json",
    ]  # fmt: skip


@pytest.mark.parametrize("layout", ["sharded", "bfloat16", "untied"])
def test_other_layouts_of_the_inputs(layout: str, tmp_path: Path) -> None:
    dtype = torch.bfloat16 if layout == "bfloat16" else torch.float32
    base = tiny.save_model(tmp_path / "base", dtype=dtype, tie_word_embeddings=layout != "untied")
    expert = tiny.save_expert(base, tmp_path / "expert", seed=1)
    if layout == "sharded":
        tiny.shard(expert)
    found = tiny.merged(tiny.recipe("task_arithmetic", (0.5,)), [expert, base], tmp_path / "out")
    tuned, origin = tiny.weights_of(expert), tiny.weights_of(base)
    assert found.keys() == origin.keys()
    assert ("lm_head.weight" in found) == (layout == "untied")
    for name, tensor in found.items():
        wanted = (origin[name].float() + tuned[name].float()) / 2
        torch.testing.assert_close(tensor, wanted, rtol=0, atol=1e-6)


def test_a_tensor_that_the_model_does_not_have_is_refused(base: Path, tmp_path: Path) -> None:
    models = [Path(shutil.copytree(base, tmp_path / name)) for name in ("one", "two")]
    for folder in models:
        weights = load_file(folder / "model.safetensors") | {"model.layers.0.self_attn.gate.weight": torch.ones(4)}
        save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    sentence = (
        r"^out: model\.layers\.0\.self_attn\.gate\.weight is no tensor of the model that config\.json describes\.$"
    )
    with pytest.raises(StepFailed, match=sentence):
        tiny.merged(tiny.recipe("linear"), models, tmp_path / "out")


def test_a_result_of_another_shape_is_refused(base: Path, tmp_path: Path) -> None:
    out = Path(shutil.copytree(base, tmp_path / "out"))
    weights = load_file(out / "model.safetensors")
    save_file(weights | {"model.norm.weight": torch.ones(5)}, out / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(StepFailed, match=r"^out: model\.norm\.weight is \(5,\), but config\.json says \(32,\)\.$"):
        check_loads(out)


def test_a_result_that_its_config_contradicts_is_refused(base: Path, tmp_path: Path) -> None:
    out = Path(shutil.copytree(base, tmp_path / "out"))
    tiny.edit_json(out / "config.json", intermediate_size=128)
    with pytest.raises(StepFailed, match=r"mlp\.down_proj\.weight is \(32, 64\), but config\.json says \(32, 128\)\.$"):
        check_loads(out)


def test_a_result_that_lacks_a_layer_of_its_config_is_refused(base: Path, tmp_path: Path) -> None:
    out = Path(shutil.copytree(base, tmp_path / "out"))
    tiny.edit_json(out / "config.json", num_hidden_layers=3)
    with pytest.raises(StepFailed, match=r"^out: lacks model\.layers\.2\.\S+, which config\.json asks for\.$"):
        check_loads(out)
