"""MEDEC: answers read, and the scores against MEDIQA-CORR 2024's procedure written down again for a set of texts."""

from __future__ import annotations

from statistics import fmean

import pytest

from workbench.scoring import corrections
from workbench.scoring.corrections import Finding, correction_scores, detection_scores, sentence_id
from workbench.scoring.metrics import rouge1_f1

IDS = range(10)


@pytest.mark.parametrize(
    ("generation", "answer"),
    [
        ("5", 5),
        (" -1\n", -1),
        ('"-1"', -1),
        ("\u22121", -1),
        ("**5**", 5),
        ("[5]", 5),
        ("5.", 5),
        ("5 Culture tests indicate 2 species in 24 hours.", 5),
        ("Sentence ID: 5", 5),
        ("The error is in sentence 5.", 5),
        ("The answer is -1", -1),
        ("Sure!\n5\nSentence 6 is right.", 5),
        ("In the 24-year-old man at 102/73 mm Hg, sentence 0", 0),
        ("", None),
        ("There is no error.", None),
        ("5, 7", None),
        ("5 and 7", None),
        ("sentence 5 or 7", None),
        ("Either 5, or else 7", None),
        ("10", None),
        ("-2", None),
        ("24-year-old man", None),
        ("5.5", None),
        ("5-7", None),
    ],
)
def test_the_sentence_that_an_answer_names(generation: str, answer: int | None) -> None:
    assert sentence_id(generation, IDS) == answer


def test_every_id_is_read_with_and_without_its_sentence() -> None:
    for number in (-1, *IDS):
        for generation in (f"{number}", f" {number} A 60-year-old man took 3 tablets.", f"The sentence is {number}."):
            assert sentence_id(generation, IDS) == number


@pytest.mark.parametrize(
    ("gold", "generation", "sentence", "flag", "unparsable"),
    [
        (5, "5", 1, 1, 0),
        (5, "6", 0, 1, 0),
        (5, "-1", 0, 0, 0),
        (-1, "-1", 1, 1, 0),
        (-1, "5", 0, 0, 0),
        (5, "none", 0, 0, 1),
        (-1, "none", 0, 0, 1),
    ],
)
def test_detection(gold: int, generation: str, sentence: int, flag: int, unparsable: int) -> None:
    scores = detection_scores(gold, generation, IDS)
    wanted = {"sentence_accuracy": sentence, "flag_accuracy": flag, "unparsable": unparsable, "empty": 0}
    assert scores == wanted


def test_an_empty_answer_says_so() -> None:
    assert detection_scores(-1, " \n", IDS) == {
        "sentence_accuracy": 0.0,
        "flag_accuracy": 0.0,
        "unparsable": 1.0,
        "empty": 1.0,
    }


CLEAN = Finding(False, -1)
WRONG = Finding(True, 5, "Culture tests indicate Trichomonas vaginalis.")
ITEMS = [
    (CLEAN, CLEAN),  # both NA: 1
    (CLEAN, Finding(True, 3, "Her pulse is 90.")),  # a correction where there is nothing to correct: 0
    (WRONG, CLEAN),  # none where there is something to correct: 0
    (WRONG, WRONG),
    (WRONG, Finding(True, 5, "Culture tests indicate yeast.")),
    (WRONG, Finding(True, 2, "Culture tests indicate Trichomonas vaginalis.")),
    (WRONG, Finding(True, 5, "NA")),
    (WRONG, Finding(True, 5, "")),
    (WRONG, Finding(False, 5, "Culture tests indicate Trichomonas vaginalis.")),  # no error, so NA whatever it says
    (CLEAN, Finding(False, -1, "Her pulse is 90.")),
    (CLEAN, Finding(True, 3, "NA")),
    (WRONG, None),
    (CLEAN, None),
]


def as_the_scripts_do(items: list[tuple[Finding, Finding | None]]) -> tuple[float, float, float]:
    """MEDIQA-CORR 2024 over a whole set: accuracies of flags and sentences, and the composite of ROUGE-1 (R1FC)."""
    flags = sentences = correct_na = 0
    pairs = []
    for gold, predicted in items:
        if predicted is None:  # a text that the run file does not have
            continue
        flags += gold.error == predicted.error
        sentences += gold.sentence == predicted.sentence
        reference = gold.correction
        candidate = predicted.correction if predicted.error else "NA"
        if reference == candidate == "NA":
            correct_na += 1
        elif "NA" not in (reference, candidate):
            pairs.append((reference, candidate))
    rouge = sum(rouge1_f1(reference, candidate) for reference, candidate in pairs)
    return flags / len(items), sentences / len(items), (rouge + correct_na) / len(items)


@pytest.mark.parametrize("items", [*([item] for item in ITEMS), ITEMS])  # each alone, for errors may cancel out
def test_means_over_texts_are_the_scripts_numbers(items: list[tuple[Finding, Finding | None]]) -> None:
    scores = [correction_scores(gold, predicted, ("rouge1",)) for gold, predicted in items]
    names = ("flag_accuracy", "sentence_accuracy", "corrected_rouge1")
    found = [fmean(score[name] for score in scores) for name in names]
    assert found == pytest.approx(as_the_scripts_do(items))
    assert [score["unparsable"] for score in scores] == [float(predicted is None) for _, predicted in items]


def test_the_composite_is_the_mean_of_the_named_metrics(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corrections, "METRICS", {"rouge1": lambda *_: 0.2, "bertscore": lambda *_: 0.8})
    assert correction_scores(WRONG, WRONG) == {
        "flag_accuracy": 1.0,
        "sentence_accuracy": 1.0,
        "corrected_rouge1": 0.2,
        "corrected_bertscore": 0.8,
        "composite": 0.5,
        "unparsable": 0.0,
    }
    assert correction_scores(CLEAN, CLEAN)["composite"] == 1.0
    assert correction_scores(WRONG, CLEAN)["composite"] == correction_scores(CLEAN, WRONG)["composite"] == 0.0
