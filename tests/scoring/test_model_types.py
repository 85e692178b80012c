"""Tiny random models of every type, asked by us and by lm-eval's HFLM: the same answers, item by item."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import tiny
import torch
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM
from transformers import AutoConfig, AutoModelForCausalLM, GenerationConfig

from workbench.scoring.batches import Request
from workbench.scoring.body import TYPES, can_be_read_apart
from workbench.scoring.packed import PackedScorer
from workbench.scoring.tree import Tree

WINDOW = 120
"""Tokens, which are bytes here: some of the prompts are longer, some are not."""

LONGROPE = {"rope_type": "longrope", "rope_theta": 1e4, "short_factor": [1.0] * 4, "long_factor": [3.0] * 4}
"""Phi-3's: other frequencies as soon as a text is longer than the model's first context."""
CONFIGS: dict[str, dict[str, Any]] = {
    "llama": {},
    "mistral": {"sliding_window": WINDOW},
    "qwen2": {"use_sliding_window": True, "sliding_window": WINDOW, "max_window_layers": 1},
    "qwen3": {"head_dim": 8},
    "phi3": {"original_max_position_embeddings": WINDOW, "rope_parameters": LONGROPE},
    "gemma": {"head_dim": 8},
    "gemma2": {
        "head_dim": 8, "query_pre_attn_scalar": 8, "sliding_window": WINDOW, "attn_logit_softcapping": 1.5,
        "final_logit_softcapping": 30.0,
    },
    "gemma3_text": {
        "head_dim": 8, "query_pre_attn_scalar": 8, "sliding_window": WINDOW, "final_logit_softcapping": 30.0,
        "layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
    },
}  # fmt: skip
BOUNDED = sorted(CONFIGS.keys() - {"llama", "qwen3", "gemma"})
SHOTS = "Take one tablet daily.\nThen rest.\n\n"
LETTERS = "abcdefghijklmnopqrstuvwxyz "


def model(kind: str, tied: bool = True, dtype: torch.dtype = torch.float32, device: str = "cpu", **changes: Any) -> Any:
    """A random model with sharp opinions, so that rounding does not decide what comes next."""
    config = AutoConfig.for_model(
        kind, vocab_size=len(tiny.SPECIAL) + 256, hidden_size=32, intermediate_size=64, num_hidden_layers=3,
        num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=512, bos_token_id=0, eos_token_id=2,
        pad_token_id=0, tie_word_embeddings=tied, **CONFIGS.get(kind, {}) | changes,
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(4)
        made = AutoModelForCausalLM.from_config(config)
        for name, parameter in made.named_parameters():
            if parameter.ndim == 2:
                parameter.data *= 20 if "embed" in name else 6
            elif "norm" in name:
                parameter.data += 0.1 * torch.randn(parameter.shape)
    made.generation_config = GenerationConfig(eos_token_id=2, pad_token_id=0)
    return made.to(device, dtype).eval()


def words(draw: random.Random, length: int) -> str:
    return "".join(draw.choices(LETTERS, k=length))


def choices(made: Any, lengths: tuple[int, ...]) -> list[Request]:
    """Two random and two best continuations behind each context; half of the contexts begin with the same shots."""
    draw, tokenizer = random.Random(1), tiny.tokenizer()
    asked: list[Request] = []
    for place, length in enumerate(lengths):
        context = tokenizer.encode(("", SHOTS)[place % 2] + words(draw, length))
        ids = torch.tensor([context], device=made.device)
        best = made.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=4, do_sample=False)
        best = best[0, len(context) :].tolist()
        for continuation in (tokenizer.encode(words(draw, 1)), best[:1], tokenizer.encode(words(draw, 6)), best):
            asked.append((("", f"{len(asked)}"), context, continuation))
    return asked


def texts(lengths: tuple[int, ...]) -> list[Instance]:
    draw = random.Random(2)
    settings = {"until": ["\n"], "max_gen_toks": 10, "do_sample": False}
    return [
        Instance("generate_until", {}, (SHOTS + words(draw, length), settings), 0, ("texts", place, 1))
        for place, length in enumerate(lengths)
    ]


SHORT = (3, 20, 35, 50, 61, 9, 14, 40)
MIXED = (*SHORT, 130, 141, 118)


class Ways:
    """Counts continuations that are read our way, and passes of HFLM's."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.ours = self.theirs = 0
        read, call = Tree.read, HFLM._model_call

        def counted_read(tree: Tree, batch: Any) -> Any:
            found = read(tree, batch)
            self.ours += len(found)
            return found

        def counted_call(scorer: HFLM, *args: Any, **options: Any) -> Any:
            self.theirs += isinstance(scorer, PackedScorer)
            return call(scorer, *args, **options)

        patch.setattr(Tree, "read", counted_read)
        patch.setattr(HFLM, "_model_call", counted_call)


@pytest.fixture
def ways(monkeypatch: pytest.MonkeyPatch) -> Iterator[Ways]:
    return Ways(monkeypatch)


def both(made: Any, **options: Any) -> tuple[PackedScorer, HFLM]:
    tokenizer = tiny.tokenizer()
    ours = PackedScorer(pretrained=made, tokenizer=tokenizer, batch_size=4)
    return ours, HFLM(pretrained=made, tokenizer=tokenizer, batch_size=1, **options)  # Phi-3's neighbours matter


def agree(made: Any, lengths: tuple[int, ...], most: float = 1e-3, ties: int = 0) -> None:
    """Log-probabilities within `most` nats, the same best tokens and the same texts, all but `ties` of either."""
    ours, theirs = both(made, softmax_dtype="float32")
    asked = choices(made, lengths)
    found = ours._loglikelihood_tokens(asked, disable_tqdm=True)
    wanted = theirs._loglikelihood_tokens(asked, disable_tqdm=True)
    assert 2 * sum(best for _, best in wanted) == len(wanted)
    assert [number for number, _ in found] == pytest.approx([number for number, _ in wanted], abs=most)
    assert sum(one[1] != other[1] for one, other in zip(found, wanted, strict=True)) <= ties
    written = theirs.generate_until(texts(lengths), disable_tqdm=True)
    assert len(set(written)) > len(lengths) / 2
    mine = ours.generate_until(texts(lengths), disable_tqdm=True)
    assert sum(one != other for one, other in zip(mine, written, strict=True)) <= ties


def test_every_type_is_here() -> None:
    assert CONFIGS.keys() == TYPES


@pytest.mark.parametrize("kind", sorted(CONFIGS))
@pytest.mark.parametrize("tied", [True, False], ids=["tied", "untied"])
def test_what_fits_is_read_our_way_and_answers_are_hflm_s(kind: str, tied: bool, ways: Ways) -> None:
    made = model(kind, tied)
    assert (made.get_output_embeddings().weight is made.get_input_embeddings().weight) == tied
    agree(made, SHORT)
    assert (ways.ours, ways.theirs) == (4 * len(SHORT), 0)


@pytest.mark.parametrize("kind", BOUNDED)
def test_what_is_longer_than_a_window_goes_hflm_s_way(kind: str, ways: Ways) -> None:
    made = model(kind)
    agree(made, MIXED)
    fit = [len(context) + len(continuation) <= WINDOW for _, context, continuation in choices(made, MIXED)]
    assert 0 < sum(fit) < len(fit)
    assert ways.ours == sum(fit)
    assert ways.theirs > 0


@pytest.mark.parametrize("kind", sorted(CONFIGS))
def test_in_bfloat16_answers_are_hflm_s_within_its_rounding(kind: str, ways: Ways) -> None:
    agree(model(kind, dtype=torch.bfloat16), SHORT, most=0.2)
    assert (ways.ours, ways.theirs) == (4 * len(SHORT), 0)


@pytest.mark.gpu
@pytest.mark.parametrize("kind", sorted(CONFIGS))
@pytest.mark.parametrize(
    ("dtype", "most", "ties"), [(torch.float32, 1e-3, 0), (torch.bfloat16, 0.2, 2)], ids=["float32", "bfloat16"]
)
def test_a_gpu_goes_the_same_way(kind: str, dtype: torch.dtype, most: float, ties: int, ways: Ways) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device here")
    agree(model(kind, dtype=dtype, device="cuda"), SHORT, most, ties)
    assert (ways.ours, ways.theirs) == (4 * len(SHORT), 0)


def test_eager_attention_is_given_the_mask_that_it_takes(ways: Ways) -> None:
    made = model("llama")
    made.set_attn_implementation("eager")
    agree(made, SHORT)
    assert (ways.ours, ways.theirs) == (4 * len(SHORT), 0)


def adapted() -> Any:
    from peft import LoraConfig, get_peft_model

    with torch.random.fork_rng():
        torch.manual_seed(1)
        made = get_peft_model(model("llama"), LoraConfig(r=2, target_modules=["q_proj"], init_lora_weights=False))
    return made.eval()


def over_two_devices() -> Any:
    made = model("llama")
    made.hf_device_map = {"model.layers.0": "cpu", "model.layers.1": "disk"}
    return made


def of_another_type() -> Any:
    return model("granite", logits_scaling=3.0)


@pytest.mark.parametrize("made", [adapted, over_two_devices, of_another_type])
def test_what_cannot_be_read_apart_goes_hflm_s_way(made: Callable[[], Any], ways: Ways) -> None:
    agree(made(), SHORT)
    assert ways.ours == 0
    assert ways.theirs > 0


def test_what_sees_both_ways_is_left_alone() -> None:
    assert can_be_read_apart(model("gemma3_text"))
    assert not can_be_read_apart(model("gemma3_text", use_bidirectional_attention=True))


@pytest.mark.parametrize(
    "options", [{"mixed_precision_dtype": "bfloat16"}, {"think_end_token": "e"}, {"truncation": True}]
)
def test_options_of_hflm_s_mean_what_they_mean_there(options: dict[str, Any]) -> None:
    made = model("qwen3")
    ours, theirs = (
        scorer(pretrained=made, tokenizer=tiny.tokenizer(), batch_size=4, **options) for scorer in (PackedScorer, HFLM)
    )
    assert ours.generate_until(texts(SHORT), True) == theirs.generate_until(texts(SHORT), True)
    asked = choices(made, SHORT)
    found, wanted = (scorer._loglikelihood_tokens(asked, disable_tqdm=True) for scorer in (ours, theirs))
    assert [number for number, _ in found] == pytest.approx([number for number, _ in wanted], abs=1e-3)
