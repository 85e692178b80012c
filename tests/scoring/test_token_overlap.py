"""Word overlap by hand, and against counts that are made word by word."""

from __future__ import annotations

import random

import pytest

from workbench.scoring.token_overlap import bigram_precision, token_f1, unigram_precision

REFERENCE = "Take one tablet daily with food"
PREDICTION = "take one or take one tablet."


def test_a_worked_example() -> None:
    # Shared with repeats: take, one ("tablet." keeps its point). P = 2/6, R = 2/6.
    assert token_f1(REFERENCE, PREDICTION) == pytest.approx(1 / 3)
    # Occur in the reference: take one . take one . -> 4 of 6, unclipped.
    assert unigram_precision(REFERENCE, PREDICTION) == pytest.approx(4 / 6)
    # Pairs: take-one one-or or-take take-one one-tablet. -> 2 of 5.
    assert bigram_precision(REFERENCE, PREDICTION) == pytest.approx(2 / 5)


def test_case_and_spaces_do_not_count_and_order_does_for_pairs_only() -> None:
    assert token_f1("One  tablet\ndaily", "daily one TABLET") == unigram_precision("a b c", "C B A") == 1.0
    assert bigram_precision("a b c", "c b a") == 0.0


@pytest.mark.parametrize("text", ["", " \n\t"])
def test_a_text_without_words_scores_zero(text: str) -> None:
    for metric in (token_f1, unigram_precision, bigram_precision):
        assert metric(REFERENCE, text) == metric(text, PREDICTION) == 0.0
    assert bigram_precision("one", "one") == 0.0


def by_hand(reference: list[str], prediction: list[str]) -> tuple[float, float, float]:
    """Shared words crossed off one by one; pairs looked for at every place."""
    left, hits = list(reference), 0
    for word in prediction:
        if word in left:
            left.remove(word)
            hits += 1
    precision, recall = hits / len(prediction), hits / len(reference)
    f1 = 2 * precision * recall / (precision + recall) if hits else 0.0
    single = sum(word in reference for word in prediction) / len(prediction)
    places = range(len(prediction) - 1)
    pairs = sum(
        any(prediction[i] == reference[j] and prediction[i + 1] == reference[j + 1] for j in range(len(reference) - 1))
        for i in places
    )
    return f1, single, pairs / len(places) if places else 0.0


@pytest.mark.parametrize("seed", range(30))
def test_against_an_independent_count(seed: int) -> None:
    draw = random.Random(seed)
    one, other = (draw.choices("abcde", k=draw.randint(1, 12)) for _ in range(2))
    reference, prediction = " ".join(one), " ".join(other)
    found = (
        token_f1(reference, prediction),
        unigram_precision(reference, prediction),
        bigram_precision(reference, prediction),
    )
    assert found == pytest.approx(by_hand(one, other))
