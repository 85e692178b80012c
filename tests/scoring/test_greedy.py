"""Texts side by side against each model's own `generate`, and log-probabilities under trees against plain passes."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest
import tiny
import torch
from transformers import AutoConfig, AutoModelForCausalLM, GenerationConfig

from workbench.scoring.bands import common
from workbench.scoring.batches import Batch, Row, batches, rows
from workbench.scoring.body import TYPES
from workbench.scoring.greedy import Stop, decodes_plainly, greedy
from workbench.scoring.tree import Tree

SHARED = tuple(range(40, 80))
WORDS = 200


def model(kind: str) -> Any:
    """A random model with sharp opinions, so that rounding never decides what comes next."""
    config = AutoConfig.for_model(
        kind, vocab_size=WORDS, hidden_size=32, intermediate_size=64, num_hidden_layers=3, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=512, bos_token_id=0, eos_token_id=1, pad_token_id=0,
        tie_word_embeddings=False, **({"head_dim": 8, "query_pre_attn_scalar": 8} if "gemma" in kind else {}),
    )  # fmt: skip
    torch.manual_seed(3)
    made = AutoModelForCausalLM.from_config(config).eval()
    for name, parameter in made.named_parameters():
        if parameter.ndim == 2:
            parameter.data *= 50 if "embed" in name else 6
    made.generation_config = GenerationConfig(eos_token_id=1, pad_token_id=0)
    return made


def prompts(*lengths: int, shared: Sequence[int] = ()) -> list[tuple[int, ...]]:
    draw = random.Random(sum(lengths))
    return [(*shared, *draw.choices(range(2, WORDS), k=length)) for length in lengths]


def alone(made: Any, prompt: Sequence[int], room: int) -> list[int]:
    """What `generate` writes behind one prompt: no padding, no neighbours."""
    ids = torch.tensor([list(prompt)])
    written = made.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=room, do_sample=False)
    tokens: list[int] = written[0, len(prompt) :].tolist()
    return tokens


@pytest.mark.parametrize("kind", sorted(TYPES))
@pytest.mark.parametrize("shared", [(), SHARED])
@pytest.mark.parametrize("rows_at_once", [1, 3, 20])
def test_texts_are_those_of_generate(kind: str, shared: tuple[int, ...], rows_at_once: int) -> None:
    made = model(kind)
    asked = prompts(30, 22, 21, 9, 5, 3, 1, shared=shared)
    wanted = [alone(made, prompt, 12) for prompt in asked]
    assert len({tuple(text) for text in wanted}) > 3  # the models do say something
    assert common(asked) == len(shared)
    found = dict(greedy(made, asked, 12, lambda tokens: tokens[-1] == 1, rows_at_once, 40, common(asked)))
    assert [found[index] for index in range(len(asked))] == wanted


def test_each_text_ends_where_it_should_and_its_slot_goes_to_the_next() -> None:
    made = model("llama")
    asked = prompts(12, 11, 10, 9, 8, 7, 6, 5, 4)
    whole = [alone(made, prompt, 20) for prompt in asked]
    assert len({text[0] for text in whole}) == len(whole)

    def over(tokens: Sequence[int]) -> bool:
        place = next(i for i, text in enumerate(whole) if tokens[0] == text[0])
        return len(tokens) >= 2 + 2 * place

    found = dict(greedy(made, asked, 20, over, 3, tokens_per_pass=1000))
    assert len(found) == len(asked)
    for place, text in enumerate(whole):
        assert found[place] == text[: min(20, 2 + 2 * place)]


def test_one_prompt_twice_is_answered_twice() -> None:
    made = model("llama")
    (prompt,) = prompts(40)
    found = dict(greedy(made, [prompt, prompt], 6, lambda tokens: False, 2, 1000, common([prompt, prompt])))
    assert found[0] == found[1] == alone(made, prompt, 6)


@pytest.mark.parametrize("kind", sorted(TYPES))
def test_log_probabilities_behind_a_shared_beginning_are_those_of_plain_passes(kind: str) -> None:
    made = model(kind)
    contexts = [*prompts(9, 5, 2, shared=SHARED), *prompts(3, 1)]
    draw = random.Random(1)
    asked = [
        (("", ""), list(context), draw.choices(range(WORDS), k=draw.randint(1, 4)))
        for context in contexts
        for _ in range(3)
    ]
    tree, found = Tree(made), {}
    split = list(batches(rows(asked), tokens=40, kept=200))
    assert {batch.shared for batch in split} == {0, len(SHARED)}
    for batch in split:
        found.update(tree.read(batch))
    for index, (_, context, continuation) in enumerate(asked):
        with torch.no_grad():
            logits = made(torch.tensor([context + continuation])).logits[0].double().log_softmax(-1)
        at = range(len(context) - 1, len(context) + len(continuation) - 1)
        wanted = sum(float(logits[place, token]) for place, token in zip(at, continuation, strict=True))
        best = all(int(logits[place].argmax()) == token for place, token in zip(at, continuation, strict=True))
        assert found[index] == (pytest.approx(wanted, abs=1e-4), best)


def test_the_beginning_is_computed_once_for_all_its_batches() -> None:
    made = model("llama")
    read: list[int] = []
    made.base_model.register_forward_pre_hook(
        lambda module, args, kwargs: read.append(kwargs["input_ids"].numel()), with_kwargs=True
    )
    tree = Tree(made)
    for last in (5, 6, 7):
        tree.read(Batch((Row((*SHARED, last), ((9,),), (0,)),), shared=len(SHARED)))
    assert read == [len(SHARED), 1, 1, 1]


@pytest.mark.parametrize(
    ("own", "asked"),
    [
        ({"repetition_penalty": 1.2}, {}),
        ({"num_beams": 3}, {}),
        ({"suppress_tokens": [4]}, {}),
        ({}, {"do_sample": True}),
        ({}, {"temperature": 0.7}),
        ({}, {"top_p": 0.9}),
    ],
)
def test_what_is_more_than_the_best_next_token_is_left_to_the_model(own: dict[str, Any], asked: dict[str, Any]) -> None:
    made = model("llama")
    usual = {"until": ["\n"], "max_gen_toks": 5, "do_sample": False, "temperature": 0.0}
    assert decodes_plainly(made, usual, 100)
    made.generation_config.update(**own)
    assert not decodes_plainly(made, usual | asked, 100)


def test_a_window_is_respected() -> None:
    made = model("llama")
    made.config.sliding_window = 50
    assert decodes_plainly(made, {}, 50)
    assert not decodes_plainly(made, {}, 51)


def test_an_answer_is_over_at_a_stop_string_whatever_its_tokens_and_at_the_end_of_text() -> None:
    tokenizer, made = tiny.tokenizer(), tiny.llama(0)
    made.generation_config = GenerationConfig(eos_token_id=[2, 1])
    stop = Stop(tokenizer, made, ["\n\n", "Question:"])
    text = tokenizer.encode("Take it daily.\nThen rest.\n")
    assert not any(stop.met(text[:n]) for n in range(1, len(text) + 1))
    over = tokenizer.encode("Take it daily.\nThen rest.\n\nQ")
    assert stop.met(over[:-1])
    assert stop.text(over) == "Take it daily.\nThen rest."
    assert stop.met([*text, 1])
    assert stop.met([*text, 2])
    assert stop.text([*text, 2]) == "Take it daily.\nThen rest.\n"
    assert Stop(tokenizer, made, "\n").text(over) == "Take it daily."
    assert not Stop(tokenizer, made, []).met(over)
