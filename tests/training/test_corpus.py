"""What an expert reads: budgets, order, and the record of it."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
import tiny

from workbench.data.catalogue import SOURCES
from workbench.data.example import Example, Format, TaskText, held_out
from workbench.data.formats import FORMATS
from workbench.data.grams import Index
from workbench.errors import UserError
from workbench.specs.models import Clean, Corpus, ExpertSpec, FileCorpus
from workbench.specs.training import Training
from workbench.training.corpus import Reading, kept_from_training, read

pytestmark = pytest.mark.usefixtures("corpora")


HOME = Path("nowhere")


def expert(*corpora: Corpus | FileCorpus, seed: int = 7, **changes: Any) -> ExpertSpec:
    spec = ExpertSpec(
        kind="expert",
        base="tiny",
        domain="numbers",
        corpora=list(corpora),
        full=True,
        train=Training(lr=1e-3),
        seed=seed,
    )
    return spec.model_copy(update=changes)


def reading(*budgets: int | None, seed: int = 1) -> Reading:
    sources = (("icd10cm", "code_lines"), ("mts-dialog", "dialogue_to_note"))
    corpora = [
        Corpus(source=source, format=format, max_tokens=budget)
        for (source, format), budget in zip(sources, budgets, strict=False)
    ]
    return read(expert(*corpora, seed=seed), HOME, tiny.tokenizer())  # a token a byte


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


def test_a_pass_reads_the_corpora_that_it_names() -> None:
    found = reading(None, None)
    lines, visits = found.of(["icd10cm/code_lines"]), found.of(["mts-dialog"])
    assert (len(lines), len(visits)) == (20, 10)
    assert [one for one in found.examples if one in lines] == lines, "in the order of the whole"
    assert {*lines, *visits} == set(found.examples) == set(found.of(["mts-dialog", "icd10cm"])) == set(found.of(None))


def test_a_pass_cannot_name_a_corpus_that_is_not_declared() -> None:
    spec = expert(Corpus(source="icd10cm", format="pages"), FileCorpus(file="mine.jsonl", licence="mine"))
    passes = {"train": {"lr": 1e-3}, "then": [{"lr": 1e-3, "corpora": ["mine.jsonl", "icd10cm/lines"]}]}
    with pytest.raises(ValueError, match=r"'icd10cm/lines', which .* declare: icd10cm, icd10cm/pages, mine\.jsonl"):
        ExpertSpec.model_validate({**spec.model_dump(), **passes})


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
    found = read(expert(corpus), HOME, tiny.tokenizer(), Index.of([item]))
    assert [example.completion for example in found.examples] == ["Another document."]
    assert (found.counts[0].documents, found.counts[0].dropped) == (1, 2)
    assert read(expert(corpus), HOME, tiny.tokenizer()).counts[0].dropped == 0


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
    found = read(expert(corpus), HOME, tiny.tokenizer())
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


def test_task_data_that_hold_a_test_item_keep_their_document_out(monkeypatch: pytest.MonkeyPatch) -> None:
    item = "one two three four five six seven eight nine ten eleven twelve thirteen"
    documents = [
        Example("", "A document.", (TaskText("qa", "Question: ?\nAnswer:", f" {item}"),)),
        Example("", "Another document."),
    ]
    monkeypatch.setitem(FORMATS, ("icd10cm", "code_lines"), Format(lambda seed: documents))
    found = read(expert(Corpus(source="icd10cm", format="code_lines")), HOME, tiny.tokenizer(), Index.of([item]))
    assert [example.completion for example in found.examples] == ["Another document."]


def test_copies_and_identifiers_are_left_out_over_all_corpora(monkeypatch: pytest.MonkeyPatch) -> None:
    mail = "Write to jane.roe@example.org about the results of the test."
    first = [Example("", "The same text twice."), Example("", mail), Example("", "Text of its own.")]
    second = [Example("", "the  SAME text twice."), Example("", "Another of its own.")]
    monkeypatch.setitem(FORMATS, ("icd10cm", "code_lines"), Format(lambda seed: first))
    monkeypatch.setitem(FORMATS, ("mts-dialog", "dialogue_to_note"), Format(lambda seed: second))
    corpora = (
        Corpus(source="icd10cm", format="code_lines", repeat=2),
        Corpus(source="mts-dialog", format="dialogue_to_note"),
    )
    found = read(expert(*corpora, clean=Clean()), HOME, tiny.tokenizer())
    assert [(count.documents, count.copies, count.identifying) for count in found.counts] == [(6, 0, 0), (1, 1, 0)]
    assert sum(found.counts[0].replaced.values()) == 1
    assert "jane.roe" not in "".join(example.text for example in found.examples)
    dropped = read(expert(*corpora, clean=Clean(identifiers="drop")), HOME, tiny.tokenizer())
    assert [(count.documents, count.identifying) for count in dropped.counts] == [(4, 1), (1, 0)]


def own_file(folder: Path, *items: dict[str, Any]) -> FileCorpus:
    (folder / "own.jsonl").write_text("".join(json.dumps(item) + "\n" for item in items))
    return FileCorpus(file="own.jsonl", prompt=["query"], completion="rationales", licence="CC0")


def test_a_file_of_one_s_own_is_read_by_its_fields(tmp_path: Path) -> None:
    corpus = own_file(tmp_path, *({"query": f"Why {n}?", "rationales": ["One.", "Two."]} for n in range(200)))
    found = read(expert(corpus), tmp_path, tiny.tokenizer())
    kept = kept_from_training(expert(corpus), tmp_path)
    assert len(found.examples) + len(kept) == 200
    assert all(held_out("own.jsonl", example.key) for example in kept)
    assert kept
    assert Example("Why 0?\n", "One.\nTwo.", key="1") in (*found.examples, *kept)
    assert (found.counts[0].source, found.counts[0].licence) == ("own.jsonl", "CC0")


@pytest.mark.parametrize(
    ("item", "says"),
    [
        ({"query": "Why?"}, "has no 'rationales'"),
        ({"query": "Why?", "rationales": " "}, "empty 'rationales'"),
        ({"query": 3, "rationales": "x"}, "no text in 'query' but int"),
    ],
)
def test_a_faulty_item_of_one_s_own_is_named(item: dict[str, Any], says: str, tmp_path: Path) -> None:
    corpus = own_file(tmp_path, {"query": "Why?", "rationales": "So."}, item)
    with pytest.raises(UserError, match=says) as error:
        read(expert(corpus), tmp_path, tiny.tokenizer())
    assert "item 2" in str(error.value)


def test_a_corpus_without_documents_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FORMATS, ("icd10cm", "code_lines"), Format(lambda seed: []))
    with pytest.raises(UserError, match="corpus 'icd10cm' holds no document that may be read"):
        reading(None)
