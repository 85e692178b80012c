"""Entities out of generations: parsing, eval4ner's own example, and every one-to-one match tried by brute force."""

from __future__ import annotations

import itertools
import json
import random

import pytest

from workbench.scoring.entities import Entity, entities_of, entity_f1, entity_scores

TEXT = "Retired welder, lives with his wife. Quit smoking in 1999, two beers on Sundays."
GOLD = [
    {"entity": "Retired welder", "label": "Employment", "value": "retired"},
    {"entity": "lives with his wife", "label": "LivingStatus", "value": "with family"},
    {"entity": "Quit smoking in 1999", "label": "Tobacco", "value": "past"},
    {"entity": "two beers on Sundays", "label": "Alcohol", "value": "current"},
]
ONE = '[{"entity": "two beers", "label": "Alcohol", "value": "current"}]'
PARSED = (Entity("two beers", "Alcohol", "current"),)


@pytest.mark.parametrize(
    "generation",
    [
        ONE,
        f" {ONE}\n",
        f"Here is the list:\n```json\n{ONE}\n```\nI hope it helps.",
        f"{ONE[:-2]}, " + '"note": "extra keys are let be"}]',
        f'{{"entities": {ONE}}}',
        f"As asked [1], the answer [is]: {ONE} and {ONE}",
        ONE.replace(", ", ",\n  "),
    ],
)
def test_a_list_is_found_whatever_stands_around_it(generation: str) -> None:
    assert entities_of(generation) == PARSED


@pytest.mark.parametrize(
    "generation",
    [
        "",
        " \n",
        "The patient drinks two beers.",
        "[" * 10_000,
        '[{"entity": ' * 1_200,
        ONE[:-1],
        ONE[1:-1],
        ONE.replace("}]", "},]"),
        ONE.replace('"', "'"),
        ONE.replace('"two beers"', "null"),
        ONE.replace('"two beers"', "2"),
        ONE.replace('"value"', '"status"'),
        ONE.replace("}]", '}, "Tobacco"]'),
        '["two beers", "Alcohol", "current"]',
    ],
)
def test_what_is_no_such_list_is_unparsable_and_scores_zero(generation: str) -> None:
    assert entities_of(generation) is None
    assert entity_scores(GOLD, generation, TEXT) == {"entity_f1": 0.0, "unparsable": 1.0}


def test_an_empty_list_is_an_answer() -> None:
    assert entities_of("[]") == ()
    assert entity_scores(GOLD, "[]", TEXT) == {"entity_f1": 0.0, "unparsable": 0.0}
    assert entity_scores([], "[]", TEXT) == {"entity_f1": 1.0, "unparsable": 0.0}


def test_the_gold_list_scores_one_in_any_order() -> None:
    for order in itertools.permutations(GOLD):
        assert entity_scores(GOLD, json.dumps(order), TEXT) == {"entity_f1": 1.0, "unparsable": 0.0}


@pytest.mark.parametrize(
    ("entity", "label", "score"),
    [
        ("beers", "Alcohol", 1.0),  # inside
        ("1999, two beers", "Alcohol", 1.0),  # across its start
        (TEXT, "Alcohol", 1.0),  # around
        ("two beers on Sundays", "Tobacco", 0.0),  # the label is another
        ("Quit smoking in 1999", "Alcohol", 0.0),  # the place is another
        ("Quit smoking in 1999, ", "Alcohol", 0.0),  # touches it and holds none of it
        ("two ales", "Alcohol", 0.0),  # not in the text
        ("Two beers", "Alcohol", 0.0),  # not as the text writes it
        ("", "Alcohol", 0.0),
        ("e", "Alcohol", 0.0),  # a string stands for its first occurrence
    ],
)
def test_a_match_needs_the_label_and_one_shared_character(entity: str, label: str, score: float) -> None:
    gold = [Entity("two beers on Sundays", "Alcohol", "current")]
    assert entity_f1(gold, [Entity(entity, label, "none")], TEXT) == score


def test_one_prediction_answers_one_gold_entity() -> None:
    # The example of eval4ner's README: type-match precision 1, recall 1/3.
    text = "John Jones and Peter Peters came to York"
    gold = [Entity("John Jones", "PER", ""), Entity("Peter Peters", "PER", ""), Entity("York", "LOC", "")]
    assert entity_f1(gold, [Entity(text, "PER", "")], text) == 0.5


def test_repeats_and_wrong_labels_cost_precision_only() -> None:
    gold = [Entity("two beers on Sundays", "Alcohol", "current")]
    assert entity_f1(gold, [gold[0]] * 3, TEXT) == 2 * (1 / 3) / (1 / 3 + 1)
    wrong = Entity("two beers on Sundays", "Drug", "current")
    assert entity_f1(gold, [wrong, *gold], TEXT) == entity_f1(gold, [*gold, wrong], TEXT) == 2 * (1 / 2) / (1 / 2 + 1)


def by_brute_force(gold: list[Entity], predicted: list[Entity], text: str) -> float:
    """F1 of the best of all assignments; spans overlap if they hold a common character."""

    def places(entity: Entity) -> set[int]:
        return set(range(at := text.index(entity.entity), at + len(entity.entity)))

    few, many = sorted([gold, predicted], key=len)
    hits = max(
        sum(a.label == b.label and bool(places(a) & places(b)) for a, b in zip(few, order, strict=True))
        for order in itertools.permutations(many, len(few))
    )
    precision, recall = hits / len(predicted), hits / len(gold)
    return 2 * precision * recall / (precision + recall) if hits else 0.0


@pytest.mark.parametrize("seed", range(50))
def test_f1_is_that_of_the_best_assignment(seed: int) -> None:
    draw = random.Random(seed)
    text = "abcdefghijklmnopqrst"

    def some() -> list[Entity]:
        starts = [draw.randrange(16) for _ in range(draw.randint(1, 5))]
        return [Entity(text[at : at + draw.randint(1, 8)], draw.choice(["Alcohol", "Drug"]), "") for at in starts]

    gold, predicted = some(), some()
    assert entity_f1(gold, predicted, text) == pytest.approx(by_brute_force(gold, predicted, text))
