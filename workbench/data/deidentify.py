"""The check that runs over a corpus before training: what identifies a patient by its form is found and taken out.

Rules cannot find names; microsoft's presidio can (`deidentify_names`), with the errors of its model. Nothing here is a
proof that a text identifies nobody. No record holds any text that was found.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from typing import Literal

from workbench.data.deidentify_rules import KINDS, RULES, Kind
from workbench.data.example import Example


@dataclass(frozen=True)
class Finding:
    """Where a text identifies somebody, as offsets, and the tag that may stand there instead."""

    kind: Kind
    start: int
    end: int
    tag: str


Names = Callable[[str], tuple[Finding, ...]]
"""Finds names in a text, as `deidentify_names.names_by_presidio` does."""


@dataclass(frozen=True)
class Policy:
    """What is done about identifiers: tags replace them, or their documents are dropped.

    `kinds` limits it where others are public: published guidelines hold addresses of public websites. `names` looks
    for names too; without it none are looked for.
    """

    action: Literal["replace", "drop"] = "replace"
    kinds: Collection[Kind] = KINDS
    names: Names | None = None


@dataclass(frozen=True)
class Screened:
    """The examples that are kept, in order; how often each kind was found, and in how many examples.

    `dropped` examples were left out. `names` says whether names were looked for.
    """

    examples: tuple[Example, ...]
    counts: tuple[tuple[Kind, int], ...]
    touched: int
    dropped: int
    names: bool

    def __str__(self) -> str:
        found = ", ".join(f"{count} {kind}" for kind, count in self.counts) or "none"
        names = "" if self.names else "; names were not looked for, which rules cannot find (set WORKBENCH_PRESIDIO)"
        total = len(self.examples) + self.dropped
        return f"identifiers in {self.touched} of {total} examples ({found}), {self.dropped} dropped{names}"


def screen(text: str, kinds: Collection[Kind] = KINDS) -> tuple[Finding, ...]:
    """What identifies somebody by its form, in the order of the text and apart from each other; names are not found.

    Where two rules claim the same text, the earlier one of the table has it, also when its kind is not asked for.
    """
    claimed = bytearray(len(text))
    found = []
    for rule in RULES:
        group = "it" if "it" in rule.pattern.groupindex else 0
        for match in rule.pattern.finditer(text):
            start, end = match.span(group)
            if 1 not in claimed[start:end]:
                claimed[start:end] = b"\1" * (end - start)
                if rule.kind is not None and rule.kind in kinds:
                    found.append(Finding(rule.kind, start, end, rule.tag))
    return tuple(sorted(found, key=lambda one: one.start))


def without_identifiers(examples: Iterable[Example], policy: Policy = Policy()) -> Screened:
    """The examples as the policy wants them. Prompt, completion and task texts are each screened by themselves."""
    kept: list[Example] = []
    counts: Counter[Kind] = Counter()
    touched = dropped = 0
    for example in examples:
        clean, found = _clean(example, policy)
        counts.update(found)
        touched += bool(found)
        if found and policy.action == "drop":
            dropped += 1
        else:
            kept.append(clean)
    ordered = tuple((kind, counts[kind]) for kind in KINDS if counts[kind])
    return Screened(tuple(kept), ordered, touched, dropped, policy.names is not None)


def _clean(example: Example, policy: Policy) -> tuple[Example, Counter[Kind]]:
    """The example with tags for identifiers, and how often each kind was found in it."""
    counts: Counter[Kind] = Counter()

    def tagged(text: str) -> str:
        clean, found = without(text, policy)
        counts.update(found)
        return clean

    tasks = tuple(
        replace(task, prompt=tagged(task.prompt), completion=tagged(task.completion)) for task in example.tasks
    )
    clean = replace(example, prompt=tagged(example.prompt), completion=tagged(example.completion), tasks=tasks)
    return clean, counts


def without(text: str, policy: Policy) -> tuple[str, Counter[Kind]]:
    """A text with tags in place of its identifiers, and how often each kind was found.

    Names are looked for once, first. Rules are applied until they find nothing: a tag may end what hid its neighbour.
    """
    counts: Counter[Kind] = Counter()
    if policy.names is not None and "name" in policy.kinds:
        named = policy.names(text)
        text = _tagged(text, named)
        counts.update(one.kind for one in named)
    while found := screen(text, policy.kinds):
        text = _tagged(text, found)
        counts.update(one.kind for one in found)
    return text, counts


def _tagged(text: str, found: Iterable[Finding]) -> str:
    for one in sorted(found, key=lambda one: one.start, reverse=True):
        text = text[: one.start] + one.tag + text[one.end :]
    return text
