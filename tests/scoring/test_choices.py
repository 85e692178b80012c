"""Answers out of generations: what is read, and what is told to be unreadable."""

from __future__ import annotations

import itertools
import re

import pytest

from workbench.scoring.choices import label_of, letter_of, long_health_letter, named_once

LABELS = ("entailment", "neutral", "contradiction")


@pytest.mark.parametrize(
    ("generation", "label"),
    [
        ("ENTAILMENT", "entailment"),
        (" neutral.\n", "neutral"),
        ("The relation is Contradiction, because", "contradiction"),
        ("", None),
        ("yes", None),
        ("NEUTRAL or CONTRADICTION", None),
        ("NEUTRAL. NEUTRAL.", None),
        ("ENTAIL MENT", None),
    ],
)
def test_a_label_is_read_when_it_alone_is_named_once(generation: str, label: str | None) -> None:
    assert label_of(generation, LABELS) == label


def test_clues_rule_knows_the_gold_label_and_looks_at_no_other() -> None:
    pieces = ["entailment ", "Neutral, ", "CONTRADICTION.", "none "]
    for chosen in itertools.product(pieces, repeat=3):
        generation = "".join(chosen)
        for gold in LABELS:  # CLUE: len(re.findall(label.upper(), model_output.upper())) == 1
            assert named_once(gold, generation) == (len(re.findall(gold.upper(), generation.upper())) == 1)
            assert (label_of(generation, LABELS) == gold) <= named_once(gold, generation)
    assert named_once("neutral", "NEUTRAL or CONTRADICTION")
    assert named_once("contradiction", "NEUTRAL or CONTRADICTION")


@pytest.mark.parametrize(
    ("generation", "letter"),
    [
        ("B", "B"),
        (" b\n", "B"),
        ("b)", "B"),
        ("B. Acute bronchitis", "B"),
        ("(B) Acute bronchitis, not A or C", "B"),
        ("**B**", "B"),
        ("B: Acute bronchitis\nC: Asthma", "B"),
        ("B Acute bronchitis", "B"),
        ("A Acute bronchitis", "A"),
        ("The answer is B.", "B"),
        ("The correct answer is (b).", "B"),
        ("Answer: A because the film is clear", "A"),
        ("Answer: A\nAnswer: A", "A"),
        ("Of all, I would choose option D here", "D"),
        ("It must be E, the last one", "E"),
        ("I think that A is right", "A"),
        ("A chest film shows that C is right", "C"),
        ("", None),
        ("Bronchitis", None),
        ("A chest film is clear", None),
        ("a chest film is clear", None),
        ("The answer is a chest film", None),
        ("A or B", None),
        ("A and C", None),
        ("Answer: A\nAnswer: B", None),
        ("B, or C", None),
        ("F", None),
        ("vitamin-C, C-reactive protein and Crohn's E's", None),
    ],
)
def test_the_letter_of_an_answer(generation: str, letter: str | None) -> None:
    assert letter_of(generation) == letter


def test_only_the_offered_letters_are_read() -> None:
    assert letter_of("F: cannot be answered", "ABCDEF") == "F"
    assert letter_of("E", "ABCD") is None


@pytest.mark.parametrize("letter", "ABCDE")
def test_every_letter_is_read_in_every_dress(letter: str) -> None:
    for dress in ("{}", "{}.", "{})", "({})", "[{}]", "**{}**", "'{}'", "{}:", "Answer: {}", "The answer is {}."):
        assert letter_of(dress.format(letter)) == letter_of(dress.format(letter.lower())) == letter, dress


@pytest.mark.parametrize(
    ("generation", "letter"),
    [
        ("The correct answer is C: Acute bronchitis.", "C"),
        ("Sure. The correct answer is A: this. The correct answer is B: that.", "A"),
        ("The correct answer is c: Acute bronchitis.", "c"),
        ("The correct answer is Acute bronchitis.", None),
        ("The correct answer is C.", None),
        ("the correct answer is C: Acute bronchitis.", None),
        ("C: Acute bronchitis", None),
        ("", None),
    ],
)
def test_long_health_answers_are_read_as_clue_does(generation: str, letter: str | None) -> None:
    assert long_health_letter(generation) == letter
    found = re.findall(r"The correct answer is (\w):", generation)  # CLUE's compute_metrics takes the first
    assert letter == (found[0] if found else None)
