"""Documents in, documents with task data out: cache, generator, reading, filters, counts."""

from __future__ import annotations

import random
import time
from collections.abc import Collection, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from workbench.data.example import Example, TaskKind, TaskText
from workbench.data.generated.cache import Cache, key
from workbench.data.generated.endpoint import Endpoint
from workbench.data.generated.filters import sift
from workbench.data.generated.generator import Answer, Generator, NoAnswer, Request
from workbench.data.generated.grounds import Grounds
from workbench.data.generated.local import LocalModel
from workbench.data.generated.pieces import Piece, Unreadable, pieces, task_texts
from workbench.data.generated.prompts import prompt
from workbench.data.generated.record import Record, Tally
from workbench.data.grams import words
from workbench.data.source import Source
from workbench.errors import UserError
from workbench.progress import Progress, silent
from workbench.specs.generator import EndpointSpec, GeneratorSpec

BASE = "base"
"""The `folder` of a local generator that means the expert's base model."""


@dataclass(frozen=True)
class Generated:
    """The documents in their order, with what task data was kept, and what happened."""

    examples: tuple[Example, ...]
    record: Record


@dataclass(frozen=True)
class _Pair:
    """A document's text and a kind: what one request is about, however often the text occurs."""

    document: str
    kind: TaskKind


Outcome = tuple[Piece, ...] | Unreadable | NoAnswer


def generator_of(spec: GeneratorSpec, declared_in: Path, base: Path, rng: random.Random) -> Generator:
    """The declared generator; `base` is the folder of the expert's base model.

    Raises UserError for a key that is not set, DataMissing for a folder without a model.
    """
    if isinstance(spec.by, EndpointSpec):
        return Endpoint(spec.by, rng)
    return LocalModel(spec.by, base if spec.by.folder == BASE else (declared_in.parent / spec.by.folder).resolve())


def refuse_confidential(spec: GeneratorSpec, sources: Iterable[Source]) -> None:
    """Raise UserError where documents under a user's own agreement would leave this machine."""
    if isinstance(spec.by, EndpointSpec) and not spec.by.on_this_machine:
        for source in sources:
            if source.confidential:
                raise UserError(
                    f"{source.name}: its text is under an agreement of yours and is not sent to {spec.by.base_url}. "
                    "Use a model on this machine (by: {folder: ...}), or leave the source out."
                )


def generate(
    documents: Sequence[Example], spec: GeneratorSpec, generator: Generator, cache: Cache, progress: Progress = silent
) -> Generated:
    """Task data of the declared kinds for each document that has none of that kind from its source.

    Kept is what `filters` let pass, behind the document's own task data, in the order of `spec.kinds`. Every answer is
    in the cache before the next is looked at. Progress counts (document, kind) pairs.

    Raises UserError when no request can succeed, StepFailed when the generator is lost; both may start again.
    """
    started, tally = time.monotonic(), Tally()
    wanted = [_wanted(document, spec, tally) for document in documents]
    asking = _Asking(generator, cache, progress)
    outcomes = asking.all(dict.fromkeys(pair for pairs in wanted for pair in pairs))
    sifted = {pair: _kept(pair, outcome, spec, tally) for pair, outcome in outcomes.items() if _read(outcome)}
    filled = []
    for document, pairs in zip(documents, wanted, strict=True):
        for pair in pairs:
            _count(pair, outcomes[pair], sifted.get(pair, ()), tally)
        tasks = tuple(task for pair in pairs for task in sifted.get(pair, ()))
        filled.append(replace(document, tasks=document.tasks + tasks) if tasks else document)
    seconds = time.monotonic() - started
    record = tally.record(spec, len(documents), asking.asked, asking.new, asking.old, seconds)
    return Generated(tuple(filled), record)


def _wanted(document: Example, spec: GeneratorSpec, tally: Tally) -> list[_Pair]:
    length = len(words(document.text))
    reason = None
    if length < spec.min_document_words:
        reason = "document too short"
    elif length > spec.max_document_words:
        reason = "document too long"
    if reason:
        tally.skipped[reason] += len(spec.kinds)
        return []
    own = {task.kind for task in document.tasks}
    tally.skipped.update(["task data of its own"] * len(own & set(spec.kinds)))
    return [_Pair(document.text, kind) for kind in spec.kinds if kind not in own]


class _Asking:
    """The rounds of asking: each asks about the pairs whose answer of the round before could not be read."""

    def __init__(self, generator: Generator, cache: Cache, progress: Progress) -> None:
        self._generator, self._cache, self._progress = generator, cache, progress
        self._identity = generator.identity
        self.asked = self.no_answer = 0
        self.new: dict[str, Answer] = {}
        self.old: dict[str, Answer] = {}

    def all(self, pairs: Collection[_Pair]) -> dict[_Pair, Outcome]:
        """What came of each pair in the end."""
        outcomes: dict[_Pair, Outcome] = {}
        for attempt in range(self._generator.asks):
            asking = [pair for pair in pairs if isinstance(outcomes.get(pair, Unreadable()), Unreadable)]
            if not asking:
                break
            last = attempt + 1 == self._generator.asks
            self._round(asking, attempt, last, len(pairs), outcomes)
        return outcomes

    def _round(
        self, asking: Sequence[_Pair], attempt: int, last: bool, total: int, outcomes: dict[_Pair, Outcome]
    ) -> None:
        keys = {pair: key(pair.document, pair.kind, self._identity, attempt) for pair in asking}
        done = total - len(asking)
        new: list[_Pair] = []
        for pair in asking:
            if (answer := self._cache.get(keys[pair])) is None:
                new.append(pair)
                continue
            self.old[keys[pair]] = answer
            outcomes[pair] = _outcome(pair, answer)
            done += last or not isinstance(outcomes[pair], Unreadable)
        self._report(done, total)
        self.asked += len(new)
        with closing(self._generator.answers([Request(prompt(p.kind, p.document), attempt) for p in new])) as results:
            for index, result in results:
                pair = new[index]
                outcomes[pair] = _outcome(pair, self._stored(keys[pair], result))
                done += last or not isinstance(outcomes[pair], Unreadable)
                self._report(done, total)

    def _stored(self, key: str, result: Answer | NoAnswer) -> Answer | NoAnswer:
        if isinstance(result, NoAnswer):
            self.no_answer += 1
            return result
        self.new[key] = self._cache.put(key, result)
        return self.new[key]

    def _report(self, done: int, total: int) -> None:
        self._progress(done, total, f"{len(self.old)} cached, {len(self.new)} new, {self.no_answer} without an answer")


def _outcome(pair: _Pair, result: Answer | NoAnswer) -> Outcome:
    if isinstance(result, NoAnswer):
        return result
    if result.cut:
        return Unreadable("cut at max_tokens")
    try:
        return pieces(pair.kind, result.text)
    except Unreadable:
        return Unreadable("not in the form asked for")


def _read(outcome: Outcome) -> bool:
    return isinstance(outcome, tuple)


def _kept(pair: _Pair, outcome: Outcome, spec: GeneratorSpec, tally: Tally) -> tuple[TaskText, ...]:
    assert isinstance(outcome, tuple)
    found = sift(pair.kind, outcome, Grounds(pair.document), spec.filters)
    tally.filtered[pair.kind].update(found.rejected)
    return task_texts(pair.kind, found.kept)


def _count(pair: _Pair, outcome: Outcome, tasks: Sequence[TaskText], tally: Tally) -> None:
    if isinstance(outcome, NoAnswer):
        tally.failed[outcome.reason] += 1
    elif isinstance(outcome, Unreadable):
        tally.unread[str(outcome)] += 1
    elif tasks:
        tally.filled[pair.kind] += 1
        tally.task_texts[pair.kind] += len(tasks)
    else:
        tally.emptied += 1
