"""ROUGE against examples counted by hand."""

from __future__ import annotations

import pytest

from workbench.scoring.metrics import generation_scores, rouge1_f1, rouge2_f1, rougeL_f1

REFERENCE = "The police killed the gunman."  # words: the police killed the gunman
PREDICTION = "the gunman killed police"  # words: the gunman killed police


def test_rouge1_counts_shared_words() -> None:
    # Shared: police, killed, gunman, and "the" once. P = 4/4, R = 4/5.
    assert rouge1_f1(REFERENCE, PREDICTION) == pytest.approx(2 * 1.0 * 0.8 / 1.8)


def test_rouge2_counts_shared_pairs() -> None:
    # Pairs of the reference: the-police police-killed killed-the the-gunman. Shared: the-gunman. P = 1/3, R = 1/4.
    assert rouge2_f1(REFERENCE, PREDICTION) == pytest.approx(2 * (1 / 3) * (1 / 4) / (1 / 3 + 1 / 4))


def test_rougeL_is_the_longest_common_subsequence() -> None:
    # Longest: "the gunman", "the police" or "the killed", 2 words. P = 2/4, R = 2/5.
    assert rougeL_f1(REFERENCE, PREDICTION) == pytest.approx(2 * 0.5 * 0.4 / 0.9)


def test_words_are_not_stemmed() -> None:
    assert rouge1_f1("treatments", "treatment") == 0.0


def test_case_and_punctuation_do_not_count() -> None:
    assert rouge1_f1("What is HbA1c?", "what is... hba1c") == 1.0


@pytest.mark.parametrize("text", ["", " \n", "?!"])
def test_a_text_without_words_scores_zero(text: str) -> None:
    assert rouge1_f1("What is asthma?", text) == rouge2_f1("What is asthma?", text) == 0.0
    assert rougeL_f1("What is asthma?", text) == 0.0


def test_an_empty_generation_scores_zero_and_says_so() -> None:
    assert generation_scores("What is asthma?", " \n") == {"rouge1": 0.0, "empty": 1.0}
    assert generation_scores("What is asthma?", "?")["empty"] == 0.0


def test_only_the_named_scores_are_computed() -> None:
    scores = generation_scores("What is asthma?", "What is asthma?", ("rouge1", "rougeL"))
    assert scores == {"rouge1": 1.0, "rougeL": 1.0, "empty": 0.0}
