"""What a run of a generator came to: counts, tokens, cost; and the part of it that a manifest carries."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from workbench.data.example import TaskKind
from workbench.data.generated import filters, prompts
from workbench.data.generated.generator import Answer
from workbench.ids import Plain
from workbench.specs.generator import EndpointSpec, GeneratorSpec


@dataclass(frozen=True)
class Usage:
    """Answers and their tokens; `unmetered` answers came without a count and are not in the sums."""

    answers: int
    prompt_tokens: int
    completion_tokens: int
    unmetered: int

    @staticmethod
    def of(answers: Iterable[Answer]) -> Usage:
        """The sums over some answers."""
        found = list(answers)
        metered = [(a.prompt_tokens, a.completion_tokens) for a in found]
        sums = [(p, c) for p, c in metered if p is not None and c is not None]
        return Usage(len(found), sum(p for p, _ in sums), sum(c for _, c in sums), len(found) - len(sums))


def cost(usage: Usage, spec: GeneratorSpec) -> float | None:
    """Cost in the declared currency; None without prices, and where an answer came without its tokens."""
    by = spec.by
    if not isinstance(by, EndpointSpec) or by.price_in is None or by.price_out is None or usage.unmetered:
        return None
    return (usage.prompt_tokens * by.price_in + usage.completion_tokens * by.price_out) / 1e6


@dataclass(frozen=True)
class Record:
    """What happened to `documents` x kinds. Each pair of the two has exactly one end.

    They are `skipped` (never asked, by reason), `failed` (no answer, by reason), `unread` (no readable answer, by
    reason), `emptied` (read, all of it filtered out) and `filled` (by kind). `filtered` counts pieces left out, by
    kind and reason, those of equal documents once; `task_texts` what was added, by kind. `asked` requests went to the
    generator now, `cached` answers lay on disk. `spent` are the tokens of this run's answers (those of tries that
    failed are not known), `used` those of all that the result rests on. Costs are in `currency`, None where unknown.
    """

    documents: int
    kinds: tuple[TaskKind, ...]
    skipped: Mapping[str, int]
    failed: Mapping[str, int]
    unread: Mapping[str, int]
    emptied: int
    filled: Mapping[str, int]
    filtered: Mapping[str, Mapping[str, int]]
    task_texts: Mapping[str, int]
    asked: int
    cached: int
    spent: Usage
    used: Usage
    spent_cost: float | None
    used_cost: float | None
    currency: str | None
    seconds: float

    def provenance(self, identity: Plain) -> dict[str, Any]:
        """What a manifest says of it: the same for every run over the same answers, so without time and cache."""
        return {
            "generator": identity,
            "prompts_version": prompts.VERSION,
            "filters_version": filters.VERSION,
            "kinds": list(self.kinds),
            "documents": self.documents,
            "skipped": dict(sorted(self.skipped.items())),
            "failed": dict(sorted(self.failed.items())),
            "unread": dict(sorted(self.unread.items())),
            "emptied": self.emptied,
            "filled": dict(sorted(self.filled.items())),
            "filtered": {kind: dict(sorted(found.items())) for kind, found in sorted(self.filtered.items())},
            "task_texts": dict(sorted(self.task_texts.items())),
            "answers": self.used.answers,
            "prompt_tokens": self.used.prompt_tokens,
            "completion_tokens": self.used.completion_tokens,
            "answers_without_token_count": self.used.unmetered,
            "cost": self.used_cost,
            "currency": self.currency,
        }


class Tally:
    """Counts on the way to a record."""

    def __init__(self) -> None:
        self.skipped: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()
        self.unread: Counter[str] = Counter()
        self.emptied = 0
        self.filled: Counter[str] = Counter()
        self.filtered: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self.task_texts: Counter[str] = Counter()

    def record(
        self,
        spec: GeneratorSpec,
        documents: int,
        asked: int,
        new: Mapping[str, Answer],
        old: Mapping[str, Answer],
        seconds: float,
    ) -> Record:
        """The whole of it; `new` and `old` are the answers of this run and of the cache, by key."""
        spent, used = Usage.of(new.values()), Usage.of([*old.values(), *new.values()])
        priced = isinstance(spec.by, EndpointSpec) and spec.by.price_in is not None
        return Record(
            documents,
            tuple(spec.kinds),
            dict(self.skipped),
            dict(self.failed),
            dict(self.unread),
            self.emptied,
            dict(self.filled),
            {kind: dict(found) for kind, found in self.filtered.items()},
            dict(self.task_texts),
            asked,
            len(old),
            spent,
            used,
            cost(spent, spec),
            cost(used, spec),
            spec.by.currency if priced and isinstance(spec.by, EndpointSpec) else None,
            seconds,
        )
