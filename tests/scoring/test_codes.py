"""Codes out of generations, against the whole ICD-10-CM table, a worked example, and precision and recall by hand."""

from __future__ import annotations

import random

import pytest
import simple_icd_10_cm as icd

from workbench.scoring.codes import category_f1, code_scores, codes_of, em_f1, valid_rate

GOLD = ["I10", "E11.9", "J45.909"]
ANSWER = "ICD-10 Codes: e119, I10; J45.901 (asthma), Z99.999, I10."


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("E11.9", ("E11.9",)),
        ("E119", ("E11.9",)),
        ("e11.9, s72001a", ("E11.9", "S72.001A")),
        ("1. I10\n2. U07.1\n- C4A.0 and Z3A.20", ("I10", "U07.1", "C4A.0", "Z3A.20")),
        ("I10-I15", ("I10", "I15")),
        ("I10. Then I10 again, and i10", ("I10",)),
        ("Hypertension (I10).", ("I10",)),
        ("no code, only 42 mg, T2N0M0 and COVID19", ()),
        ("E11.9123456", ("E11",)),
        ("", ()),
    ],
)
def test_codes_of(text: str, codes: tuple[str, ...]) -> None:
    assert codes_of(text) == codes


def test_every_code_of_the_tables_is_read_with_and_without_its_dot_in_any_case() -> None:
    # A block of one category (B10) has its name and is listed beside it.
    table = tuple(dict.fromkeys(code for code in icd.get_all_codes(True) if icd.is_category_or_subcategory(code)))
    assert len(table) > 90_000
    assert codes_of(" ".join(table)) == codes_of(", ".join(table).lower()) == table
    assert codes_of("\n".join(code.replace(".", "") for code in table)) == table


def test_a_worked_example() -> None:
    # Predicted: E11.9, I10, J45.901, Z99.999. Exact: 2 of 4, 2 of 3. Categories: 3 of 4, 3 of 3. No Z99.999 exists.
    em, category, valid = 2 * (2 / 4) * (2 / 3) / (2 / 4 + 2 / 3), 2 * (3 / 4) / (3 / 4 + 1), 3 / 4
    assert code_scores(GOLD, ANSWER) == pytest.approx(
        {
            "em_f1": em,
            "category_f1": category,
            "valid": valid,
            "composite": (em + category + valid) / 3,
            "unparsable": 0.0,
            "empty": 0.0,
        }
    )


def by_hand(gold: set[str], predicted: set[str]) -> float:
    """F1 as CLUE computes it."""
    precision = sum(code in gold for code in predicted) / len(predicted) if predicted else 0.0
    recall = sum(code in predicted for code in gold) / len(gold)
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


@pytest.mark.parametrize("seed", range(20))
def test_f1_is_that_of_precision_and_recall(seed: int) -> None:
    draw = random.Random(seed)
    pool = ["E11.9", "E11.65", "E10.9", "I10", "I11.0", "I11.9", "J45.909", "J45.901"]
    gold, predicted = draw.sample(pool, draw.randint(1, 5)), draw.sample(pool, draw.randint(0, 5))
    assert em_f1(gold, predicted) == pytest.approx(by_hand(set(gold), set(predicted)))
    first_three = [{code.split(".")[0] for code in codes} for codes in (gold, predicted)]
    assert category_f1(gold, predicted) == pytest.approx(by_hand(*first_three))


def test_a_repeated_code_counts_once() -> None:
    assert code_scores(["I10", "E11.9"], "I10 I10 I10 J45.20") == code_scores(["E119", "i10"], "J45.20, I10")


def test_headings_and_seventh_characters_are_valid_and_inventions_are_not() -> None:
    assert valid_rate(["E11", "E11.9", "S72.001A", "U07.1"]) == 1.0
    assert valid_rate(["E11.99", "I10.1", "B12", "S72.001Z"]) == 0.0


@pytest.mark.parametrize(("generation", "empty"), [("", 1.0), (" \n", 1.0), ("The patient has diabetes.", 0.0)])
def test_a_generation_without_codes_scores_zero_and_says_so(generation: str, empty: float) -> None:
    scores = code_scores(GOLD, generation)
    assert scores.pop("unparsable") == 1.0
    assert scores.pop("empty") == empty
    assert set(scores.values()) == {0.0}


def test_the_gold_codes_score_one() -> None:
    assert code_scores(GOLD, ", ".join(GOLD))["composite"] == 1.0
