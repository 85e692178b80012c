"""lm-eval's model class with every context computed once: choices packed behind it, texts written side by side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lm_eval.models.huggingface import HFLM

from workbench.errors import UserError
from workbench.scoring.bands import Band, Prompt, bands
from workbench.scoring.batches import Request, batches, rows
from workbench.scoring.body import bytes_per_token, can_be_read_apart, longest_read_apart
from workbench.scoring.greedy import Stop, decodes_plainly, greedy
from workbench.scoring.remembered import Given, Remembered
from workbench.scoring.tree import Tree

TEXTS_AT_ONCE = 16
"""Whole texts whose log-probabilities are asked between two that are remembered."""


class PackedScorer(HFLM):  # type: ignore[misc, unused-ignore]
    """lm-eval's HFLM with another way to the same log-probabilities and, through `greedy`, the same texts.

    What cannot go that way (other models, texts longer than a window, sampling) goes HFLM's. `batch_size` is the most
    texts that are written side by side, `max_batch_size` of them where it is "auto", and HFLM's; contexts with choices
    are batched by their tokens. `cut` collects (task, item) of the prompts that lm-eval shortens from the left because
    they do not fit.
    """

    def __init__(self, *args: Any, remembered: Remembered | None = None, **options: Any) -> None:
        super().__init__(*args, **options)
        self.remembered = remembered or Remembered()
        self.cut: set[tuple[str, int]] = set()
        self._asked: Sequence[Any] = ()
        self._whole_texts = False

    @property
    def longest(self) -> float:
        """Tokens of the longest text that is read our way; longer ones go HFLM's."""
        if self.backend != "causal" or self.mixed_precision_dtype is not None or not can_be_read_apart(self.model):
            return 0
        longest: float = min(self.max_length, longest_read_apart(self.model.config))
        return longest

    @property
    def tokens_per_batch(self) -> int:
        """Tokens of one forward pass, padding included: what keeps a CPU's caches or a GPU's units busy."""
        return 16384 if self.device.type == "cuda" else 2048

    @property
    def tokens_kept(self) -> int:
        """Tokens whose keys and values are kept at once, within two GiB."""
        return 2**31 // bytes_per_token(self.model)

    def loglikelihood(self, requests: list[Any], disable_tqdm: bool = False) -> list[tuple[float, bool]]:
        """(log-probability in nats, whether greedy decoding gives it) of every continuation, in order.

        What several items ask (the same choice behind no question, for mutual information) is read once.
        """
        known, asked = self._known(requests)
        places: dict[tuple[Any, ...], list[int]] = {}
        for index in asked:
            places.setdefault(requests[index].args, []).append(index)
        self._asked = [requests[same[0]] for same in places.values()]  # lm-eval hands on tokens alone, in this order
        try:
            answers = super().loglikelihood(self._asked, disable_tqdm)
        finally:
            self._asked = ()
        found: dict[int, tuple[float, bool]] = {index: tuple(answer) for index, answer in known.items()}
        for same, answer in zip(places.values(), answers, strict=True):
            found |= dict.fromkeys(same, answer)
            if self._is_cut(requests[same[0]]):
                self.cut |= {(requests[index].task_name, requests[index].doc_id) for index in same}
        return [found[index] for index in range(len(requests))]

    def loglikelihood_rolling(self, requests: list[Any], disable_tqdm: bool = False) -> list[float]:
        """Log-probability in nats of every text, read in windows of the model's context, in order."""
        if self.world_size > 1:  # HFLM waits for every process at every call
            return [float(one) for one in super().loglikelihood_rolling(requests, disable_tqdm)]
        from tqdm import tqdm

        answers, asked = self._known(requests)
        with tqdm(total=len(requests), disable=disable_tqdm, desc="whole texts") as bar:
            bar.update(len(answers))
            for start in range(0, len(asked), TEXTS_AT_ONCE):
                places = asked[start : start + TEXTS_AT_ONCE]
                some = [requests[index] for index in places]
                self._whole_texts = True  # HFLM asks for a bar of its own every time
                try:
                    found = super().loglikelihood_rolling(some, disable_tqdm=True)
                finally:
                    self._whole_texts = False
                self.remembered.keep(some, [Given(float(one), False) for one in found])
                answers |= dict(zip(places, found, strict=True))
                bar.update(len(places))
        return [float(answers[index]) for index in range(len(requests))]

    def generate_until(self, requests: list[Any], disable_tqdm: bool = False) -> list[str]:
        """What greedy decoding writes behind each prompt, in order."""
        from tqdm import tqdm

        answers, asked = self._known(requests)
        prompts = [self._prompt(requests[index]) for index in asked]
        with tqdm(total=len(requests), disable=disable_tqdm, desc="Running generate_until requests") as bar:
            bar.update(len(answers))
            side_by_side = self.max_batch_size if self.batch_size == "auto" else self.batch_size
            for band in bands(prompts, side_by_side, self.tokens_kept):
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
        longest = max(prompts[index].length for index in band.prompts)
        thinks = self.think_end_token is not None
        if longest > self.longest or thinks or self.truncation or not decodes_plainly(self.model, settings, longest):
            asked: int | str = self.batch_size
            self.batch_size_per_gpu: int | str = band.rows
            try:
                texts = super().generate_until([requests[index] for index in band.prompts], disable_tqdm=True)
            finally:
                self.batch_size_per_gpu = asked
            yield from zip(band.prompts, texts, strict=True)
            return
        stop = Stop(self.tokenizer, self.model, settings.get("until") or [])
        texts_in = [prompts[index].ids for index in band.prompts]
        room = prompts[band.prompts[0]].room
        found = greedy(self.model, texts_in, room, stop.met, band.rows, self.tokens_per_batch, band.common)
        for place, tokens in found:
            yield band.prompts[place], stop.text(tokens)

    def _prompt(self, request: Any) -> Prompt:
        """A request in tokens; a prompt that does not fit is shortened from the left and noted in `cut`.

        A model whose generation settings limit new tokens keeps to that limit, whatever the task's: `generate` does so.
        """
        text, settings = request.args
        room = settings.get("max_gen_toks", self.max_gen_toks)
        ids, longest = self.tok_encode(text), self.max_length - room
        if longest < 1:
            raise UserError(
                f"task '{request.task_name}': answers of up to {room} tokens leave no room for a prompt in the model's "
                f"{self.max_length}. Set a smaller 'max_gen_toks' in the task's generation_kwargs."
            )
        if len(ids) > longest:
            self.cut.add((request.task_name, request.doc_id))
        ids, room = ids[-longest:], self.model.generation_config.max_new_tokens or room
        ours = len(ids) + room <= self.longest
        return Prompt(tuple(ids), room, f"{request.task_name} {settings} {ours}")

    def _loglikelihood_tokens(
        self, requests: list[Request], disable_tqdm: bool = False, override_bs: int | None = None
    ) -> list[tuple[float, bool]]:
        """(log-probability in nats, whether greedy decoding gives it) of every continuation, in order."""
        from tqdm import tqdm

        for asked, (_, context, continuation) in zip(self._asked, requests, strict=bool(self._asked)):
            if len(context) + len(continuation) > self.max_length + 1:
                self.cut.add((asked.task_name, asked.doc_id))
        ours, theirs = self._ours_and_theirs(requests)
        answers: dict[int, tuple[float, bool]] = {}
        if theirs:
            plain = super()._loglikelihood_tokens([requests[index] for index in theirs], disable_tqdm, override_bs)
            answers |= dict(zip(theirs, plain, strict=True))
            self._remember(answers)
        shown = bool(ours) and not (disable_tqdm or self._whole_texts)
        with tqdm(total=len(ours), disable=not shown, desc="log-probabilities") as bar:
            tree = Tree(self.model)
            for batch in batches(rows([requests[index] for index in ours]), self.tokens_per_batch, self.tokens_kept):
                found = {ours[place]: answer for place, answer in tree.read(batch)}
                answers |= found
                self._remember(found)
                bar.update(len(found))
        for index in ours:
            if (texts := requests[index][0]) is not None:
                self.cache_hook.add_partial("loglikelihood", texts, answers[index])
        return [answers[index] for index in range(len(requests))]

    def _remember(self, found: Mapping[int, tuple[float, bool]]) -> None:
        """Keep answers by the place of their request; log-probabilities that nobody asked for by a request are not."""
        if self._asked:
            asked = [self._asked[index] for index in found]
            given = zip(asked, found.values(), strict=True)
            self.remembered.keep(asked, [Given(answer, self._is_cut(request)) for request, answer in given])

    def _ours_and_theirs(self, requests: Sequence[Request]) -> tuple[list[int], list[int]]:
        """Places of the requests that are read our way, and of those that go HFLM's."""
        longest = self.longest
        ours = [i for i, (_, c, k) in enumerate(requests) if c and k and len(c) + len(k) <= longest]
        return ours, sorted(set(range(len(requests))) - set(ours))

    def _detect_batch_size(self, requests: Sequence[Request] | None = None, pos: int = 0) -> int:
        """Rows for HFLM's way where `batch_size` is "auto".

        HFLM's own search halves what does not fit until it does. Where memory is the machine's, what does not fit is
        swapped or killed instead: there, rows of the longest request that make up a pass.
        """
        if self.device.type != "cpu":
            found: int = super()._detect_batch_size(requests, pos)
            return found
        longest: int = len(requests[pos][1]) + len(requests[pos][2]) if requests else self.max_length
        return max(1, min(int(self.max_batch_size), self.tokens_per_batch // longest))
