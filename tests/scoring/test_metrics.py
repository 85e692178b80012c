"""ROUGE against examples counted by hand, and what is made of several scores of one answer."""

from __future__ import annotations

import subprocess
import sys

import pytest

from workbench.errors import UserError
from workbench.scoring.metrics import (
    METRICS,
    generation_scores,
    rouge1_f1,
    rouge2_f1,
    rougeL_f1,
    rougeL_stemmed_f1,
)

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


def test_words_are_stemmed_only_where_the_name_says_so() -> None:
    assert rouge1_f1("treatments", "treatment") == rougeL_f1("treatments", "treatment") == 0.0
    # Stems: the treatment work, and treatment work; in common, in order: treatment work. P = 2/2, R = 2/3.
    assert rougeL_stemmed_f1("the treatments worked", "treatment working") == pytest.approx(2 * (2 / 3) / (1 + 2 / 3))


def test_case_and_punctuation_do_not_count() -> None:
    assert rouge1_f1("What is HbA1c?", "what is... hba1c") == 1.0


@pytest.mark.parametrize("text", ["", " \n", "?!"])
def test_a_text_without_words_scores_zero(text: str) -> None:
    assert rouge1_f1("What is asthma?", text) == rouge2_f1("What is asthma?", text) == 0.0
    assert rougeL_f1("What is asthma?", text) == rougeL_stemmed_f1("What is asthma?", text) == 0.0


def test_an_empty_generation_scores_zero_and_says_so() -> None:
    assert generation_scores("What is asthma?", " \n") == {"rouge1": 0.0, "empty": 1.0}
    assert generation_scores("What is asthma?", "?")["empty"] == 0.0


def test_only_the_named_scores_are_computed() -> None:
    scores = generation_scores("What is asthma?", "What is asthma?", ("rouge1", "rougeL"))
    assert scores == {"rouge1": 1.0, "rougeL": 1.0, "composite": 1.0, "empty": 0.0}


def test_the_composite_is_the_mean_of_the_named_scores() -> None:
    scores = generation_scores(REFERENCE, PREDICTION, ("rouge1", "rouge2", "token_f1"))
    # Words with their punctuation: the police killed the gunman. / the gunman killed police. Shared: the police killed.
    assert scores["token_f1"] == pytest.approx(2 * (3 / 4) * (3 / 5) / (3 / 4 + 3 / 5))
    assert scores["composite"] == pytest.approx((8 / 9 + 2 / 7 + 2 / 3) / 3)
    assert list(scores) == ["rouge1", "rouge2", "token_f1", "composite", "empty"]


def test_each_name_is_its_own_metric() -> None:
    # 8 words and 11; lower-cased and split at spaces they are "rest," "and" "rest." ... as written.
    reference = "Rest, and rest. Take two tablets with food."
    prediction = "Take one tablet with food and rest, with food and rest."
    by_hand = {
        "rouge1": 12 / 19,  # take with food and rest rest: P = 6/11, R = 6/8
        "rouge2": 4 / 17,  # and-rest with-food: P = 2/10, R = 2/7
        "rougeL": 8 / 19,  # and rest with food: P = 4/11, R = 4/8
        "token_f1": 10 / 19,  # take with and "rest," "rest.": P = 5/11, R = 5/8
        "unigram_precision": 7 / 11,  # with and "and" twice each
        "bigram_precision": 1 / 10,  # and-"rest."
    }
    scores = generation_scores(reference, prediction, list(by_hand))
    assert {name: scores[name] for name in by_hand} == pytest.approx(by_hand)
    assert METRICS.keys() - by_hand.keys() == {"rougeL_stemmed", "bertscore", "concept_f1"}
    stems = generation_scores("the treatments", "the treatment", ["rougeL", "rougeL_stemmed"])
    assert (stems["rougeL"], stems["rougeL_stemmed"]) == (0.5, 1.0)


@pytest.mark.parametrize("reference", ["", " \n", "-?"])
def test_a_reference_without_a_word_is_an_error_and_never_a_score(reference: str) -> None:
    with pytest.raises(UserError, match=r"reference .* has no word"):
        generation_scores(reference, "What is asthma?")


def test_an_unknown_metric_is_named_with_the_known_ones() -> None:
    with pytest.raises(UserError, match=r"unknown metric 'bleu'\. Known: rouge1, .*concept_f1"):
        generation_scores("What is asthma?", "What is asthma?", ("rouge1", "bleu"))


def test_nothing_heavy_is_loaded_before_it_is_asked_for() -> None:
    probe = (
        "import sys, workbench.scoring.metrics; print({'torch', 'transformers', 'simple_icd_10_cm'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
