"""Log-probabilities with each context computed once: choices are packed behind it under a tree-shaped mask.

A row holds a context and the continuations that were asked of it, one after another. Every continuation sees the
context and itself, at the positions it would have alone, so the numbers are those of separate passes; logits are
formed in float32, and only where a continuation is read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from lm_eval.models.huggingface import HFLM

from workbench.scoring.batches import Request, Row, batches, generation_batches, read_at, rows

PLAIN_HEADS = frozenset({"llama", "mistral", "qwen2", "qwen3", "phi3"})
"""Model types whose logits are the head's product with the last hidden state: no scaling, no soft cap."""


class PackedScorer(HFLM):  # type: ignore[misc, unused-ignore]
    """lm-eval's HFLM with another way through the same log-probabilities. Generation is HFLM's own.

    `cut` collects (task, item) of the prompts that lm-eval shortens from the left because they do not fit.
    """

    logits_per_chunk = 512
    generated_per_batch = 16384
    """Tokens of one batch that generates, prompts and answers: what bounds its cache of keys and values."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.batch_size_per_gpu: int = int(self.batch_size)
        self.cut: set[tuple[str, int]] = set()
        self._asked: Sequence[Any] = ()

    @property
    def tokens_per_batch(self) -> int:
        """Tokens of one forward pass, padding included: what keeps a CPU's caches or a GPU's units busy."""
        return 16384 if self.device.type == "cuda" else 2048

    def loglikelihood(self, requests: list[Any], disable_tqdm: bool = False) -> list[tuple[float, bool]]:
        """(log-probability in nats, whether greedy decoding gives it) of every continuation, in order."""
        self._asked = requests  # lm-eval hands on tokens alone, in this order
        try:
            answers: list[tuple[float, bool]] = super().loglikelihood(requests, disable_tqdm)
        finally:
            self._asked = ()
        return answers

    def generate_until(self, requests: list[Any], disable_tqdm: bool = False) -> list[str]:
        """What greedy decoding writes behind each prompt, in order; batches are bounded in tokens, not only in rows."""
        from tqdm import tqdm

        answers: dict[int, str] = {}
        rows: int = self.batch_size_per_gpu
        with tqdm(total=len(requests), disable=disable_tqdm, desc="Running generate_until requests") as bar:
            for batch in generation_batches(self._sizes(requests), rows, self.generated_per_batch):
                self.batch_size_per_gpu = len(batch)
                try:
                    texts = super().generate_until([requests[index] for index in batch], disable_tqdm=True)
                finally:
                    self.batch_size_per_gpu = rows
                answers.update(zip(batch, texts, strict=True))
                bar.update(len(batch))
        return [answers[index] for index in range(len(requests))]

    def _sizes(self, requests: Sequence[Any]) -> list[tuple[str, int]]:
        """(settings, tokens of prompt and answer) of every request; a prompt that does not fit is noted in `cut`."""
        found = []
        for request in requests:
            text, settings = request.args
            answer = settings.get("max_gen_toks", self.max_gen_toks)
            prompt, room = len(self.tok_encode(text)), self.max_length - answer
            if prompt > room:
                self.cut.add((request.task_name, request.doc_id))
            found.append((repr(settings), min(prompt, room) + answer))
        return found

    def _loglikelihood_tokens(
        self, requests: list[Request], disable_tqdm: bool = False, override_bs: int | None = None
    ) -> list[tuple[float, bool]]:
        """(log-probability in nats, whether greedy decoding gives it) of every continuation, in order."""
        from tqdm import tqdm

        for asked, (_, context, continuation) in zip(self._asked, requests, strict=bool(self._asked)):
            if len(context) + len(continuation) > self.max_length + 1:
                self.cut.add((asked.task_name, asked.doc_id))
        if self.model.config.model_type not in PLAIN_HEADS or self._too_long(requests):
            plain: list[tuple[float, bool]] = super()._loglikelihood_tokens(requests, disable_tqdm, override_bs)
            return plain
        answers: dict[int, tuple[float, bool]] = {}
        with tqdm(total=len(requests), disable=disable_tqdm, desc="log-probabilities") as bar:
            for batch in batches(rows(requests), self.tokens_per_batch):
                answers.update(self._batch(batch))
                bar.update(sum(len(row.requests) for row in batch))
        for index, (texts, _, _) in enumerate(requests):
            if texts is not None:
                self.cache_hook.add_partial("loglikelihood", texts, answers[index])
        return [answers[index] for index in range(len(requests))]

    def _too_long(self, requests: Sequence[Request]) -> bool:
        window = getattr(self.model.config, "sliding_window", None)  # Mistral's, Phi-3's: our mask knows none
        longest = min(self.max_length, window or self.max_length)
        return any(not c or not k or len(c) + len(k) > longest for _, c, k in requests)

    def _batch(self, batch: Sequence[Row]) -> Iterator[tuple[int, tuple[float, bool]]]:
        import torch

        width = max(row.length for row in batch)
        ids = torch.zeros(len(batch), width, dtype=torch.long)
        positions = torch.zeros(len(batch), width, dtype=torch.long)
        seen = torch.eye(width, dtype=torch.bool).repeat(len(batch), 1, 1)  # padding sees itself: no empty softmax
        reads: list[tuple[int, int]] = []
        targets: list[int] = []
        for index, row in enumerate(batch):
            _fill(row, ids[index], positions[index], seen[index])
            for where, target in read_at(row):
                reads.append((index, where))
                targets.append(target)
        with torch.inference_mode():
            hidden = self.model.base_model(
                input_ids=ids.to(self.device),
                position_ids=positions.to(self.device),
                attention_mask=_mask(batch, seen, self.device),
                use_cache=False,
            ).last_hidden_state
            at = torch.tensor(reads, device=self.device)
            goals = torch.tensor(targets, device=self.device)
            chosen: list[float] = []
            greedy: list[bool] = []
            for start in range(0, len(targets), self.logits_per_chunk):
                chunk = slice(start, start + self.logits_per_chunk)
                part, goal = at[chunk], goals[chunk]
                logits = self.model.get_output_embeddings()(hidden[part[:, 0], part[:, 1]]).float()
                right = logits.gather(1, goal[:, None])[:, 0]
                chosen += (right - logits.logsumexp(-1)).tolist()
                greedy += (logits.argmax(-1) == goal).tolist()
        start = 0
        for row in batch:
            for request, continuation in zip(row.requests, row.continuations, strict=True):
                end = start + len(continuation)
                yield request, (sum(chosen[start:end]), all(greedy[start:end]))
                start = end


def _mask(batch: Sequence[Row], seen: Any, device: Any) -> Any:
    """The tree mask [batch, 1, width, width], or None where plain causal order says the same and is faster.

    With one continuation a row nothing branches, and padding stands to the right, out of sight.
    """
    if all(len(row.continuations) == 1 for row in batch):
        return None
    return seen[:, None].to(device)


def _fill(row: Row, ids: Any, positions: Any, seen: Any) -> None:
    """Write ids [width], positions [width] and who sees whom [width, width] of one row, in place."""
    import torch

    m = len(row.context)
    ids[:m] = torch.tensor(row.context)
    positions[:m] = torch.arange(m)
    seen[:m, :m] = torch.ones(m, m, dtype=torch.bool).tril()
    start = m
    for continuation in row.continuations:
        fed = len(continuation) - 1
        if not fed:
            continue
        end = start + fed
        ids[start:end] = torch.tensor(continuation[:-1])
        positions[start:end] = torch.arange(m, m + fed)
        seen[start:end, :m] = True
        seen[start:end, start:end] = torch.ones(fed, fed, dtype=torch.bool).tril()
        start = end
