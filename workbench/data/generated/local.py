"""A causal language model on this machine: greedy decoding, batch by batch, through its chat template."""

from __future__ import annotations

import functools
from collections import abc
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from workbench.data.generated.generator import Answer, NoAnswer, Request
from workbench.errors import DataMissing, Incompatible, StepFailed, UserError
from workbench.ids import Plain, folder_sha256
from workbench.specs.generator import LocalModelSpec


class LocalModel:
    """Asks the model in a folder of the transformers layout. It is loaded for the first request, on a GPU if any.

    Raises DataMissing for a folder without a model, Incompatible for one without a chat template.
    """

    asks = 1
    """Greedy decoding says the same again."""

    def __init__(self, spec: LocalModelSpec, folder: Path) -> None:
        if not (folder / "config.json").is_file() or not list(folder.glob("*.safetensors")):
            raise DataMissing(f"{folder}: holds no config.json with safetensors. Give a folder with a model.")
        self.spec, self.folder = spec, folder

    @functools.cached_property
    def identity(self) -> Plain:
        """The bytes of the model, its dtype and the greatest length; the size of a batch is no part of it."""
        settings = {"dtype": self.spec.dtype, "max_tokens": self.spec.max_tokens}
        return {"by": "local", "model": folder_sha256(self.folder), **settings}

    def answers(self, requests: Sequence[Request]) -> abc.Generator[tuple[int, Answer | NoAnswer]]:
        """(index, what came of it), the longest first, so that memory is short at the start or never.

        Raises StepFailed when a GPU's memory is too small for the batch.
        """
        if not requests:
            return
        prompts = [self._tokens(request.prompt) for request in requests]
        room = self._room
        order = sorted(range(len(prompts)), key=lambda index: -len(prompts[index]))
        long = [index for index in order if len(prompts[index]) > room]
        for index in long:
            yield index, NoAnswer("too long for the model", f"{len(prompts[index])} tokens, {room} have room")
        fitting = order[len(long) :]
        for start in range(0, len(fitting), self.spec.batch_size):
            batch = fitting[start : start + self.spec.batch_size]
            yield from zip(batch, self._written([prompts[index] for index in batch]), strict=True)

    @functools.cached_property
    def _tokenizer(self) -> Any:
        from transformers import AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(self.folder)
        if not tokenizer.chat_template:
            raise Incompatible(f"{self.folder}: its tokenizer has no chat template. Give a chat model.")
        return tokenizer

    @functools.cached_property
    def _model(self) -> Any:
        import torch
        from transformers import AutoModelForCausalLM

        model = AutoModelForCausalLM.from_pretrained(
            self.folder, dtype=getattr(torch, self.spec.dtype), trust_remote_code=False, use_safetensors=True
        )
        return model.to("cuda" if torch.cuda.is_available() else "cpu").eval()

    @property
    def _room(self) -> int:
        """Tokens that a prompt may have."""
        context = int(self._model.config.max_position_embeddings)
        if context <= self.spec.max_tokens:
            raise UserError(
                f"{self.folder}: max_tokens {self.spec.max_tokens} fills its context of {context}. Lower it."
            )
        return context - self.spec.max_tokens

    def _tokens(self, prompt: str) -> list[int]:
        chat = [{"role": "user", "content": prompt}]
        text = self._tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
        ids: list[int] = self._tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids

    def _written(self, prompts: Sequence[Sequence[int]]) -> list[Answer]:
        import torch
        from transformers import GenerationConfig

        model, width = self._model, max(len(prompt) for prompt in prompts)
        ids = torch.tensor([[0] * (width - len(prompt)) + list(prompt) for prompt in prompts], device=model.device)
        mask = torch.tensor([[0] * (width - len(p)) + [1] * len(p) for p in prompts], device=model.device)
        ends = _ends(model, self._tokenizer)
        settings = GenerationConfig(
            do_sample=False, max_new_tokens=self.spec.max_tokens, eos_token_id=ends, pad_token_id=ends[0]
        )
        try:
            with torch.inference_mode():
                out = model.generate(ids, attention_mask=mask, generation_config=settings)
        except torch.OutOfMemoryError as error:
            raise StepFailed(
                f"{self.folder}: the GPU's memory is too small for {len(prompts)} prompts of up to {width} tokens "
                f"at once. Lower batch_size (now {self.spec.batch_size}). All answers are kept."
            ) from error
        return [self._answer(len(p), row, ends) for p, row in zip(prompts, out[:, width:].tolist(), strict=True)]

    def _answer(self, prompt_tokens: int, row: list[int], ends: Sequence[int]) -> Answer:
        over = next((at for at, token in enumerate(row) if token in ends), None)
        written = row if over is None else row[: over + 1]
        text = self._tokenizer.decode(written, skip_special_tokens=True)
        return Answer(text, prompt_tokens, len(written), cut=over is None)


def _ends(model: Any, tokenizer: Any) -> list[int]:
    """The tokens that end an answer, the tokenizer's own among them."""
    own = model.generation_config.eos_token_id
    found = [*(own if isinstance(own, list) else [own]), tokenizer.eos_token_id]
    return list(dict.fromkeys(token for token in found if token is not None))
