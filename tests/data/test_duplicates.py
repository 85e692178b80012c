"""Exact and near duplicates, against sets of tuples of words and worked out by hand."""

from __future__ import annotations

import random

import numpy as np
import pytest

from workbench.data.duplicates import THRESHOLD, Distinct, distinct, jaccard, near_duplicates, normalised
from workbench.data.example import Example, TaskText

RNG = random.Random(3)
VOCABULARY = [f"word{i}" for i in range(500)]
TEXT = " ".join(RNG.choices(VOCABULARY, k=104))
"""104 words, so 100 runs of five; random, so all distinct."""


def runs(text: str) -> set[tuple[str, ...]]:
    """All runs of five words as tuples."""
    found = text.split()
    return {tuple(found[i : i + 5]) for i in range(len(found) - 4)}


def changed(text: str, *places: int) -> str:
    """The text with another word at each place."""
    found = text.split()
    for place in places:
        found[place] = f"other{place}"
    return " ".join(found)


def documents(*texts: str) -> list[Example]:
    return [Example("", text) for text in texts]


@pytest.mark.parametrize(
    "same",
    ["The  Patient\nhad\u00a0ﬁbrosis.", "the patient had fibrosis.", " The Patient had FIBROSIS.\n\n"],
)
def test_case_whitespace_and_compatible_forms_make_no_difference(same: str) -> None:
    assert normalised(same) == "the patient had fibrosis."
    assert distinct(documents("The patient had fibrosis.", same)).exact == 1


@pytest.mark.parametrize("other", ["The patient had fibrosis", "The patient has fibrosis.", "Thepatient had fibrosis."])
def test_punctuation_and_words_do(other: str) -> None:
    assert distinct(documents("The patient had fibrosis.", other)).exact == 0


def test_the_first_of_each_group_is_kept_with_its_tasks_in_order() -> None:
    first = Example("", TEXT, (TaskText("summary", "", "A summary."),), "one")
    other = Example("Code A00:", " Cholera")
    found = distinct([first, other, Example("", TEXT.upper(), (), "two"), Example("", changed(TEXT, 50), (), "three")])
    assert found == Distinct((first, other), exact=1, near=1)
    assert str(found) == "1 exact and 1 near duplicates of 4 examples were left out"
    assert distinct([]) == Distinct((), 0, 0)


def test_prompt_and_completion_are_one_text() -> None:
    half = len(TEXT) // 2
    assert distinct([Example(TEXT[:half], TEXT[half:]), Example("", TEXT)]).exact == 1
    assert distinct([Example("Code A00:", " Cholera"), Example("Code A01:", " Cholera")]).exact == 0


@pytest.mark.parametrize(("places", "near"), [((50,), 1), ((50, 51, 52, 53, 54), 1), ((30, 60), 1), ((20, 40, 60), 0)])
def test_near_is_a_jaccard_index_of_at_least_eight_tenths(places: tuple[int, ...], near: int) -> None:
    # A word inside stands in five runs: of 100, one change leaves 95 of 105, two 90 of 110, three 85 of 115.
    # Five neighbours stand in nine: 91 of 109.
    other = changed(TEXT, *places)
    a, b = runs(TEXT), runs(other)
    assert len(a) == len(b) == 100
    assert (len(a & b) / len(a | b) >= THRESHOLD) == bool(near)
    assert distinct(documents(TEXT, other)).near == near


def test_short_texts_are_only_compared_exactly() -> None:
    line = "Code S52.501: Unspecified fracture of the lower end of right radius, initial encounter for closed fracture"
    short = [line, line.replace("S52.501", "S52.502").replace("right", "left"), f"{line}."]
    assert distinct(documents(*short)) == Distinct(tuple(documents(*short)), 0, 0)
    nineteen, twenty = (" ".join(VOCABULARY[:n]) for n in (19, 20))
    assert distinct(documents(nineteen, f"{nineteen}.")).near == 0
    assert distinct(documents(twenty, f"{twenty}.")).near == 1


def test_what_is_near_a_duplicate_only_is_kept() -> None:
    near, far = changed(TEXT, 20, 60), changed(TEXT, 20, 60, 40, 80)
    assert distinct(documents(TEXT, near, far)).near == 1
    assert distinct(documents(near, far)).near == 1


def test_runs_are_found_as_sets_of_tuples_find_them_and_the_same_each_time() -> None:
    rng = random.Random(8)
    texts = [" ".join(rng.choices(VOCABULARY, k=rng.randint(40, 120))) for _ in range(30)]
    for _ in range(90):
        origin = rng.choice(texts).split()
        places = rng.sample(range(len(origin)), rng.randint(1, 3))
        texts.append(changed(" ".join(origin), *places))
    kept: list[set[tuple[str, ...]]] = []
    expected = []
    for text in texts:
        asked = runs(text)
        if all(len(asked & other) / len(asked | other) < THRESHOLD for other in kept):
            kept.append(asked)
            expected.append(Example("", text))
    found = distinct(documents(*texts))
    assert found.examples == tuple(expected)
    assert found.exact + found.near == len(texts) - len(expected) > 30
    assert len(expected) > 35  # so some changes were too many
    assert distinct(documents(*texts)) == found


def test_what_the_hash_tables_propose_is_compared_before_anything_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    from datasketch import MinHashLSH

    monkeypatch.setattr(MinHashLSH, "query", lambda self, sketch: list(self.keys))  # every kept text is proposed
    others = [" ".join(random.Random(seed).choices(VOCABULARY, k=60)) for seed in range(8)]
    assert distinct(documents(*others)).near == 0


def test_the_jaccard_index_of_sorted_runs() -> None:
    a, b = np.array([1, 2, 3, 4, 5], np.uint64), np.array([2, 3, 4, 5, 6], np.uint64)
    assert jaccard(a, b) == 4 / 6
    assert jaccard(a, a) == 1.0
    assert jaccard(a, b[:1]) == 0.0  # below the threshold by its size alone


def test_global_random_numbers_stay_as_they_were() -> None:
    before = random.getstate()
    near_duplicates()(TEXT)
    assert random.getstate() == before
