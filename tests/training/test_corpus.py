"""What an expert reads: budgets, order, and the record of it."""

from __future__ import annotations

import random

import pytest
import tiny

from workbench.data.catalogue import SOURCES
from workbench.data.example import Example, Format
from workbench.data.formats import FORMATS
from workbench.data.overlap import Index
from workbench.specs.models import Corpus
from workbench.training.corpus import Reading, read

pytestmark = pytest.mark.usefixtures("corpora")


def reading(*budgets: int | None, seed: int = 1) -> Reading:
    sources = (("icd10cm", "code_lines"), ("mts-dialog", "dialogue_to_note"))
    corpora = [
        Corpus(source=source, format=format, max_tokens=budget)
        for (source, format), budget in zip(sources, budgets, strict=False)
    ]
    return read(corpora, tiny.tokenizer(), seed)  # a token a byte


def test_without_a_budget_everything_is_read() -> None:
    found = reading(None, None)
    assert [(count.documents, count.tokens) for count in found.counts] == [(20, 400), (10, 250)]
    assert (len(found.examples), found.tokens) == (30, 650)


@pytest.mark.parametrize(
    ("budget", "documents"), [(400, 20), (399, 19), (60, 3), (59, 2), (20, 1), (1, 1)], ids=lambda value: str(value)
)
def test_a_budget_keeps_the_first_documents_that_fit_and_one_at_least(budget: int, documents: int) -> None:
    found = reading(budget)
    assert (found.counts[0].documents, found.counts[0].tokens) == (documents, 20 * documents)
    assert {e.completion for e in found.examples} == {f"Document number {n:03d}." for n in range(documents)}


def test_what_shares_thirteen_words_with_a_test_item_is_left_out_before_the_budget(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    item = "one two three four five six seven eight nine ten eleven twelve thirteen"
    documents = [
        Example("", f"Before {item} after."),
        Example("", "Another document."),
        Example(item + " ", "fourteen"),
    ]
    monkeypatch.setitem(FORMATS, ("icd10cm", "code_lines"), Format(lambda seed: documents))
    corpus = Corpus(source="icd10cm", format="code_lines", max_tokens=20)
    found = read([corpus], tiny.tokenizer(), 7, Index.of([item]))
    assert [example.completion for example in found.examples] == ["Another document."]
    assert (found.counts[0].documents, found.counts[0].dropped) == (1, 2)
    assert read([corpus], tiny.tokenizer(), 7).counts[0].dropped == 0


def test_every_corpus_has_its_own_budget_and_prompts_count() -> None:
    found = reading(100, 50)
    assert [(count.documents, count.tokens) for count in found.counts] == [(5, 100), (2, 50)]


def test_a_corpus_is_read_again_in_another_order(monkeypatch: pytest.MonkeyPatch) -> None:
    seeds: list[int] = []

    def documents(seed: int) -> list[Example]:
        seeds.append(seed)
        return [Example("", f"Document {seed} {n}.") for n in range(2)]

    monkeypatch.setitem(FORMATS, ("icd10cm", "code_lines"), Format(documents))
    corpus = Corpus(source="icd10cm", format="code_lines", repeat=3)
    found = read([corpus], tiny.tokenizer(), 7)
    assert seeds == [7, 8, 9]
    assert {e.completion for e in found.examples} == {f"Document {seed} {n}." for seed in (7, 8, 9) for n in (0, 1)}
    assert found.counts[0].documents == 6


def test_the_seed_shuffles_all_corpora_together() -> None:
    first, again, other = reading(None, None), reading(None, None), reading(None, None, seed=2)
    assert first == again
    assert first.examples != other.examples
    assert sorted(e.completion for e in first.examples) == sorted(e.completion for e in other.examples)
    kinds = ["Prompt" if e.prompt else "Document" for e in first.examples]
    assert kinds != sorted(kinds)
    assert kinds != sorted(kinds, reverse=True)


def test_the_shuffle_leaves_the_global_generator_alone() -> None:
    before = random.getstate()
    reading(None, None)
    assert random.getstate() == before


def test_the_record_names_licence_and_attribution() -> None:
    [count] = reading(40).counts
    assert (count.source, count.format) == ("icd10cm", "code_lines")
    assert count.licence == SOURCES["icd10cm"].licence
    assert count.attribution == SOURCES["icd10cm"].attribution
