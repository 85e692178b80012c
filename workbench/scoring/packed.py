"""lm-eval's model class with every context computed once: choices packed behind it, texts written side by side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lm_eval.models.huggingface import HFLM

from workbench.scoring.bands import Band, Prompt, bands
from workbench.scoring.batches import Request, batches, rows
from workbench.scoring.greedy import PLAIN_HEADS, Stop, decodes_plainly, greedy
from workbench.scoring.remembered import Given, Remembered
from workbench.scoring.tree import Tree


class PackedScorer(HFLM):  # type: ignore[misc, unused-ignore]
    """lm-eval's HFLM with another way to the same log-probabilities and, through `greedy`, the same texts.

    What cannot go that way (other heads, other windows, sampling) goes HFLM's.
    `cut` collects (task, item) of the prompts that lm-eval shortens from the left because they do not fit.
    """

    def __init__(self, *args: Any, remembered: Remembered | None = None, **options: Any) -> None:
        super().__init__(*args, **options)
        self.remembered = remembered or Remembered()
        self.batch_size_per_gpu: int = int(self.batch_size)
        self.cut: set[tuple[str, int]] = set()
        self._asked: Sequence[Any] = ()

    @property
    def tokens_per_batch(self) -> int:
        """Tokens of one forward pass, padding included: what keeps a CPU's caches or a GPU's units busy."""
        return 16384 if self.device.type == "cuda" else 2048

    @property
    def tokens_kept(self) -> int:
        """Tokens whose keys and values are kept at once, within two GiB."""
        config = self.model.config
        size: int = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        heads: int = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
        element: int = self.model.dtype.itemsize
        layers: int = config.num_hidden_layers
        return 2**31 // (2 * layers * heads * size * element)

    def loglikelihood(self, requests: list[Any], disable_tqdm: bool = False) -> list[tuple[float, bool]]:
        """(log-probability in nats, whether greedy decoding gives it) of every continuation, in order."""
        known, asked = self._known(requests)
        self._asked = [requests[index] for index in asked]  # lm-eval hands on tokens alone, in this order
        try:
            answers = super().loglikelihood(self._asked, disable_tqdm)
        finally:
            self._asked = ()
        found: dict[int, tuple[float, bool]] = {index: tuple(answer) for index, answer in known.items()}
        found |= dict(zip(asked, answers, strict=True))
        return [found[index] for index in range(len(requests))]

    def generate_until(self, requests: list[Any], disable_tqdm: bool = False) -> list[str]:
        """What greedy decoding writes behind each prompt, in order."""
        from tqdm import tqdm

        answers, asked = self._known(requests)
        prompts = [self._prompt(requests[index]) for index in asked]
        with tqdm(total=len(requests), disable=disable_tqdm, desc="Running generate_until requests") as bar:
            bar.update(len(answers))
            for band in bands(prompts, self.batch_size_per_gpu, self.tokens_kept):
                for place, text in self._answers([requests[index] for index in asked], prompts, band):
                    request = requests[asked[place]]
                    answers[asked[place]] = text
                    self.remembered.keep([request], [Given(text, self._is_cut(request))])
                    self.cache_hook.add_partial("generate_until", request.args, text)
                    bar.update(1)
        return [answers[index] for index in range(len(requests))]

    def _known(self, requests: Sequence[Any]) -> tuple[dict[int, Any], list[int]]:
        """Answers that are remembered, by place, and the places of the requests that must be asked."""
        known: dict[int, Any] = {}
        for index, request in enumerate(requests):
            if (given := self.remembered.given(request)) is not None:
                known[index] = given.answer
                if given.cut:
                    self.cut.add((request.task_name, request.doc_id))
        return known, [index for index in range(len(requests)) if index not in known]

    def _is_cut(self, request: Any) -> bool:
        return (request.task_name, request.doc_id) in self.cut

    def _answers(self, requests: Sequence[Any], prompts: Sequence[Prompt], band: Band) -> Iterator[tuple[int, str]]:
        settings = requests[band.prompts[0]].args[1]
        if not decodes_plainly(self.model, settings, max(prompts[index].length for index in band.prompts)):
            rows, self.batch_size_per_gpu = self.batch_size_per_gpu, band.rows
            try:
                texts = super().generate_until([requests[index] for index in band.prompts], disable_tqdm=True)
            finally:
                self.batch_size_per_gpu = rows
            yield from zip(band.prompts, texts, strict=True)
            return
        stop = Stop(self.tokenizer, self.model, settings.get("until") or [])
        texts_in = [prompts[index].ids for index in band.prompts]
        room = prompts[band.prompts[0]].room
        found = greedy(self.model, texts_in, room, stop.met, band.rows, self.tokens_per_batch, band.common)
        for place, tokens in found:
            yield band.prompts[place], stop.text(tokens)

    def _prompt(self, request: Any) -> Prompt:
        """A request in tokens; a prompt that does not fit is shortened from the left and noted in `cut`."""
        text, settings = request.args
        room = settings.get("max_gen_toks", self.max_gen_toks)
        ids, longest = self.tok_encode(text), self.max_length - room
        if len(ids) > longest:
            self.cut.add((request.task_name, request.doc_id))
        return Prompt(tuple(ids[-longest:]), room, f"{request.task_name} {settings}")

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
            self._remember(dict(enumerate(plain)))
            return plain
        answers: dict[int, tuple[float, bool]] = {}
        with tqdm(total=len(requests), disable=disable_tqdm, desc="log-probabilities") as bar:
            tree = Tree(self.model)
            for batch in batches(rows(requests), self.tokens_per_batch, self.tokens_kept):
                found = dict(tree.read(batch))
                answers |= found
                self._remember(found)
                bar.update(sum(len(row.requests) for row in batch.rows))
        for index, (texts, _, _) in enumerate(requests):
            if texts is not None:
                self.cache_hook.add_partial("loglikelihood", texts, answers[index])
        return [answers[index] for index in range(len(requests))]

    def _remember(self, found: Mapping[int, tuple[float, bool]]) -> None:
        """Keep answers by the place of their request; log-probabilities that nobody asked for by a request are not."""
        if self._asked:
            asked = [self._asked[index] for index in found]
            given = zip(asked, found.values(), strict=True)
            self.remembered.keep(asked, [Given(answer, self._is_cut(request)) for request, answer in given])

    def _too_long(self, requests: Sequence[Request]) -> bool:
        window = getattr(self.model.config, "sliding_window", None)  # Mistral's, Phi-3's: our mask knows none
        longest = min(self.max_length, window or self.max_length)
        return any(not c or not k or len(c) + len(k) > longest for _, c, k in requests)
