"""Greedy decoding of many prompts: slots that are refilled as answers end, and shared beginnings read once.

The tokens are those of the model's own `generate` without sampling; what differs is that no prompt waits for a
longer neighbour, keys and values are never copied to grow, and a prompt's padding is never computed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from workbench.scoring.body import attends_plainly, can_be_read_apart, logits, longest_read_apart, mask_for
from workbench.scoring.shared_attention import KeysValues, sharing
from workbench.scoring.slots import Slots

NEUTRAL = {
    "num_beams": 1,
    "repetition_penalty": 1.0,
    "no_repeat_ngram_size": 0,
    "encoder_repetition_penalty": 1.0,
    "bad_words_ids": None,
    "min_length": 0,
    "min_new_tokens": None,
    "forced_bos_token_id": None,
    "forced_eos_token_id": None,
    "suppress_tokens": None,
    "begin_suppress_tokens": None,
    "sequence_bias": None,
    "guidance_scale": None,
    "exponential_decay_length_penalty": None,
    "stop_strings": None,
    "max_time": None,
}
"""What a model's generation settings say when the next token is simply the most probable one."""

GREEDY = {"do_sample": False, "temperature": 0.0}
"""How a task may ask for the same."""


def decodes_plainly(model: Any, asked: Mapping[str, Any], longest: int) -> bool:
    """Whether `greedy` writes what the model's own `generate` would, as a task asks, up to `longest` tokens."""
    whole = can_be_read_apart(model) and longest <= longest_read_apart(model.config)
    own = model.generation_config
    plain = all(getattr(own, name, None) in (None, value) for name, value in NEUTRAL.items())
    free = {name: value for name, value in asked.items() if name not in ("until", "max_gen_toks")}
    return whole and plain and all(name in GREEDY and value == GREEDY[name] for name, value in free.items())


class Stop:
    """When an answer is over, and its text: up to the first stop string or end-of-text token, as lm-eval cuts it."""

    def __init__(self, tokenizer: Any, model: Any, until: str | Sequence[str]) -> None:
        self._tokenizer = tokenizer
        ends = model.generation_config.eos_token_id
        self._ends = {tokenizer.eos_token_id, *(ends if isinstance(ends, list) else [ends])} - {None}
        self._strings = [one for one in ([until] if isinstance(until, str) else until) if one]
        self._looked_at = 2 + max((len(one.encode()) for one in self._strings), default=0)

    def met(self, tokens: Sequence[int]) -> bool:
        """Whether nothing behind `tokens` can be part of the answer."""
        if tokens[-1] in self._ends:
            return True
        tail = self._tokenizer.decode(tokens[-self._looked_at :]) if self._strings else ""
        return any(one in tail for one in self._strings)

    def text(self, tokens: Sequence[int]) -> str:
        """The answer without its end."""
        text: str = self._tokenizer.decode(tokens, skip_special_tokens=True)
        for one in self._strings:
            text = text.split(one)[0]
        return text


@dataclass
class _Answer:
    index: int
    prompt: Sequence[int]
    tokens: list[int] = field(default_factory=list)


def greedy(
    model: Any,
    prompts: Sequence[Sequence[int]],
    room: int,
    over: Callable[[Sequence[int]], bool],
    rows: int,
    tokens_per_pass: int,
    common: int = 0,
) -> Iterator[tuple[int, list[int]]]:
    """(index of the prompt, tokens written behind it), in the order in which they end.

    An answer ends when `over(its tokens)` is true or when it has `room` tokens. At most `rows` prompts are answered
    side by side, taken in the order given; `tokens_per_pass` bounds what is read of new ones at once. All prompts begin
    with the same `common` tokens, which are read once where the model's attention can be taken apart.
    """
    common = common if attends_plainly(model) else 0
    width = max(len(prompt) for prompt in prompts) - common + room
    slots = Slots(model.config.num_hidden_layers, min(rows, len(prompts)), width, common)
    reader = _Reader(model, slots, prompts[0][:common])
    waiting = [_Answer(index, prompt) for index, prompt in enumerate(prompts)][::-1]
    active: list[_Answer] = []
    while waiting or active:
        free = slots.rows - len(active)
        if waiting and (not active or free * 4 >= slots.rows):
            first = len(active)
            longest = max(1, len(waiting[-1].prompt) - common)
            count = min(free, len(waiting), max(1, tokens_per_pass // longest))
            new = [waiting.pop() for _ in range(count)]
            active = active + new
            slots.lengths[first:] = 0
            chosen = reader.read(first, [one.prompt[common:] for one in new])
        else:
            first, new = 0, active
            chosen = reader.read(0, [[one.tokens[-1]] for one in active])
        for one, token in zip(new, chosen, strict=True):
            one.tokens.append(token)
        for place in reversed(range(first, len(active))):
            one = active[place]
            if len(one.tokens) < room and not over(one.tokens):
                continue
            yield one.index, one.tokens
            last = active.pop()
            if place < len(active):
                active[place] = last
                slots.copy(len(active), slice(place, place + 1), int(slots.lengths[len(active)]))


class _Reader:
    """Reads texts into slots, behind a beginning that all of them share and that is computed once."""

    def __init__(self, model: Any, slots: Slots, beginning: Sequence[int]) -> None:
        self._model = model
        self._slots = slots
        self._beginning = self._kept(beginning) if beginning else None

    @torch.inference_mode()
    def _kept(self, beginning: Sequence[int]) -> list[KeysValues]:
        ids = torch.tensor([list(beginning)], device=self._model.device)
        made = self._model.base_model(input_ids=ids, use_cache=True).past_key_values
        return [(layer.keys, layer.values) for layer in made.layers]

    @torch.inference_mode()
    def read(self, first: int, texts: Sequence[Sequence[int]]) -> list[int]:
        """Read one text into each slot from `first` on, behind what it holds; the most probable next token of each."""
        longest = max(len(text) for text in texts)
        device = self._model.device
        ids = torch.tensor([[*text, *[0] * (longest - len(text))] for text in texts], device=device)
        positions, mask = self._slots.at(first, len(texts), longest, device)
        given: dict[str, Any] = {"past_key_values": self._slots, "use_cache": True}
        if self._beginning is None:
            mask = mask_for(self._model, mask)
            found = self._model.base_model(input_ids=ids, position_ids=positions, attention_mask=mask, **given)
        else:
            with sharing(self._model):
                found = self._model.base_model(
                    input_ids=ids, position_ids=positions, attention_mask=mask, beginning=self._beginning, **given
                )
        lengths = torch.tensor([len(text) for text in texts])
        self._slots.lengths[first : first + len(texts)] += lengths
        last = found.last_hidden_state[torch.arange(len(texts), device=device), (lengths - 1).to(device)]
        chosen: list[int] = logits(self._model, last).argmax(-1).tolist()
        return chosen
