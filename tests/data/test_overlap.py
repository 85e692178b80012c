"""Runs of words that two bodies of text share, against sets of tuples of words, and worked out by hand."""

from __future__ import annotations

import itertools
import json
import random
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from workbench.data.example import Example, Format
from workbench.data.formats import FORMATS
from workbench.data.grams import Index, grams, words
from workbench.data.overlap import documents, item_text, overlap, without
from workbench.data.sources import missing
from workbench.records import Overlap, SharedItem
from workbench.specs.models import Corpus, ExpertSpec
from workbench.specs.project import load_expert
from workbench.specs.training import Training

REPOSITORY = Path(__file__).parents[2]
LETTERS = "a b c d e f g h i j k l m n o p q r s t u v w x y z"
"""26 words, so 14 runs of 13: a to m is the first, n to z the last."""


def runs(text: str, n: int) -> set[tuple[str, ...]]:
    """All runs of n words as tuples; of a shorter text, the whole of it."""
    found = text.split()
    if len(found) < n:
        return {tuple(found)} if found else set()
    return {tuple(found[i : i + n]) for i in range(len(found) - n + 1)}


def share(text: str, corpus: list[str], n: int) -> float:
    """The share of a text's runs that stand in a corpus, by tuples of words."""
    read = set().union(*(runs(document, n) for document in corpus))
    found = text.split()
    asked = [tuple(found[i : i + n]) for i in range(max(len(found) - n + 1, min(len(found), 1)))]
    return sum(run in read for run in asked) / len(asked) if asked else 0.0


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("HR 88, BP 126/74.", ["hr", "88", "bp", "126", "74"]),
        ("snake_case e.g. co-trimoxazole", ["snake", "case", "e", "g", "co", "trimoxazole"]),
        ("Straße\u00a0ÉTÉ ﬁbre", ["strasse", "été", "fibre"]),
        ("e\u0301te\u0301", ["été"]),  # letters with their accents apart are the same word
        ("5 \u00b5g", ["5", "\u03bcg"]),  # the micro sign is the Greek letter
        ("22 kg/m²", ["22", "kg", "m2"]),
        (" \n- …", []),
    ],
)
def test_words(text: str, found: list[str]) -> None:
    assert words(text) == found


@pytest.mark.parametrize(("length", "count"), [(0, 0), (1, 1), (12, 1), (13, 1), (14, 2), (26, 14)])
def test_a_text_has_a_run_at_every_word_that_twelve_follow(length: int, count: int) -> None:
    assert grams(" ".join(LETTERS.split()[:length])).shape == (count,)


def test_runs_differ_by_word_and_by_order_and_not_by_anything_else() -> None:
    plain = "one two three four"
    assert (grams("One, two!\n\nTHREE (four)", 4) == grams(plain, 4)).all()
    texts = [" ".join(order) for order in itertools.permutations(plain.split())]
    texts += [f"{plain[:-4]}five", "one two three", "onetwo three four", "one one two three"]
    assert len({int(grams(text, 4)[0]) for text in texts}) == len(texts) == 28


def test_hashes_are_the_same_on_every_machine() -> None:
    # By hand: blake2b of the word, eight bytes, little-endian; then the second word plus the first times the base.
    from hashlib import blake2b

    first, second = (int.from_bytes(blake2b(w, digest_size=8).digest(), "little") for w in (b"chest", b"pain"))
    assert int(grams("Chest pain", 2)[0]) == (first * 0x9E3779B97F4A7C15 + second) % 2**64


def test_thirteen_words_in_a_row_are_an_overlap_and_twelve_are_none() -> None:
    index = Index.of([f"before {LETTERS} after"])
    letters = LETTERS.split()
    assert index.share(LETTERS) == 1.0
    assert index.share("0 " + " ".join(letters[:13]) + " 1") == pytest.approx(1 / 3)  # of 0-l, a-m, b-1 the second
    assert index.overlaps("0 " + " ".join(letters[:13]) + " 1")
    assert not index.overlaps("0 " + " ".join(letters[:12]) + " 1")
    assert not index.overlaps(" ".join([*letters[:12], "0", *letters[12:24]]))


def test_no_run_goes_from_one_document_into_the_next() -> None:
    letters = LETTERS.split()
    halves = [" ".join(letters[:7]), " ".join(letters[7:14])]
    assert not Index.of(halves).overlaps(" ".join(letters[:14]))
    assert Index.of([" ".join(halves)]).overlaps(" ".join(letters[:14]))


def test_a_short_text_is_compared_whole() -> None:
    index = Index.of(["Type 2 diabetes mellitus", LETTERS])
    assert index.share("type 2 DIABETES mellitus.") == 1.0
    assert not index.overlaps("diabetes mellitus")
    assert not index.overlaps("a b c")  # stands inside a longer document, which three words do not show to be copied


def test_nothing_overlaps_nothing() -> None:
    assert Index.of([]).hashes.size == 0
    assert not Index.of([]).overlaps(LETTERS)
    assert not Index.of([""]).overlaps("")
    assert not Index.of([LETTERS]).overlaps("...")


@pytest.mark.parametrize("n", [1, 2, 3, 13])
def test_shares_are_those_of_sets_of_tuples(n: int) -> None:
    rng = random.Random(n)
    seen = set()
    for vocabulary, length in itertools.product((2, 4, 30), (0, 1, n, 3 * n, 60)):
        names = [f"w{i}" for i in range(vocabulary)]
        corpus = [" ".join(rng.choices(names, k=rng.randint(0, length))) for _ in range(12)]
        index = Index.of(corpus, n)
        assert index.hashes.size == len(set().union(*(runs(document, n) for document in corpus)))
        assert (np.diff(index.hashes) != 0).all()
        assert (index.hashes[:-1] < index.hashes[1:]).all()
        for _ in range(20):
            text = " ".join(rng.choices(names, k=rng.randint(0, length)))
            pieces = rng.choice(corpus).split()
            text += " " + " ".join(pieces[rng.randint(0, len(pieces)) :])
            assert index.share(text) == share(text, corpus, n)
            seen.add(round(share(text, corpus, n), 2))
    assert {0.0, 1.0} < seen  # so the cases are neither all alike nor all different


def test_what_an_item_says() -> None:
    item = {
        "id": "nli-t-001",
        "note_id": "n7",
        "sentence_ids": ["s1", "s2"],
        "PMID": "123",
        "premise": "He fell.",
        "options": ["Yes", "No"],
        "documents": [{"id": "d1", "title": "Letter", "text": "Dear doctor"}, {"title": "Labs", "text": ""}],
        "answer": 1,
        "reference": None,
        "idea": "kept",
    }
    assert item_text(item) == "He fell.\nYes\nNo\nLetter\nDear doctor\nLabs\n\nkept"


def test_items_are_told_by_id_or_number_and_share() -> None:
    letters = LETTERS.split()
    items: list[tuple[str, dict[str, Any]]] = [
        ("h0", {"id": "a", "text": LETTERS}),
        ("h1", {"id": "b", "text": "something else"}),
        ("h2", {"text": " ".join(letters[:7]), "answer": " ".join([*letters[7:13], "0"])}),  # a-m goes over both fields
        ("h2", {"text": " ".join(letters[:7]), "answer": " ".join([*letters[7:13], "0"])}),
    ]
    found = overlap("expert", "nli", "test", Index.of([LETTERS]), items)
    shared = (SharedItem("a", "h0", 1.0), SharedItem("2", "h2", 0.5), SharedItem("3", "h2", 0.5))
    assert found == Overlap("expert", "nli", "test", 4, shared)


def test_examples_that_share_a_run_with_an_item_are_left_out_and_counted() -> None:
    letters = LETTERS.split()
    found = [
        Example("", f"x {LETTERS}"),
        Example("Dialogue: a b c d e f\n", "g h i j k l m and on"),  # only prompt and completion together hold it
        Example("", " ".join(letters[:12])),
        Example("Code A00:", " Cholera"),
    ]
    kept = without(found, Index.of([LETTERS]))
    assert kept.examples == (found[2], found[3])
    assert kept.dropped == 2
    assert str(kept) == "2 of 4 examples share 13 words in a row with a test item and were left out"
    assert without([], Index.of([LETTERS])).dropped == 0


def test_the_documents_of_an_expert_are_all_it_may_read_and_each_once(monkeypatch: pytest.MonkeyPatch) -> None:
    seeds: list[int] = []

    def read(seed: int) -> list[Example]:
        seeds.append(seed)
        return [Example("Code A00:", " Cholera"), Example("", f"order {seed}")]

    monkeypatch.setitem(FORMATS, ("icd10cm", "code_lines"), Format(read))
    corpus = Corpus(source="icd10cm", format="code_lines", repeat=2, max_tokens=1)
    spec = ExpertSpec(
        kind="expert", base="tiny", domain="codes", corpora=[corpus], full=True, train=Training(lr=1e-3), seed=7
    )
    assert documents(spec, Path()) == ["Code A00: Cholera", "order 7", "order 8"]
    assert seeds == [7, 8]


def test_an_index_takes_eight_bytes_a_run() -> None:
    rng = random.Random(5)
    names = [f"w{i}" for i in range(1000)]
    corpus = [" ".join(rng.choices(names, k=1000)) for _ in range(100)]
    tracemalloc.start()
    index = Index.of(corpus)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert index.hashes.nbytes == 8 * 100 * 988  # random words: no run twice
    assert peak < 5 * index.hashes.nbytes


EXPERTS = [p for p in sorted((REPOSITORY / "experts").glob("*.yaml")) if "kind: expert" in p.read_text()]


@pytest.mark.parametrize("path", EXPERTS, ids=lambda path: str(path.stem))
def test_no_shipped_expert_has_read_a_mini_item(path: Path) -> None:
    _, spec, _ = load_expert(path)
    catalogued = [corpus.source for corpus in spec.corpora if isinstance(corpus, Corpus)]
    lacking = [reason for source in catalogued if (reason := missing(source))]
    if lacking:
        pytest.skip(lacking[0])
    read = documents(spec, path.parent)
    index = Index.of(read)
    files = sorted((REPOSITORY / "benchmarks" / "tasks").glob("mini_*/*.jsonl"))
    items = [json.loads(line) for file in files for line in file.read_text().splitlines()]
    assert len(items) > 700
    assert [item["id"] for item in items if index.overlaps(item_text(item))] == []
    # The check can fail: an item that quotes the first long document is found.
    long = next(document for document in read if len(words(document)) > 20)
    assert index.overlaps(item_text({"id": "x", "note": f"As told before: {long}"}))
