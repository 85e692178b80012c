"""Items without a usable reference are named before any model is asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from workbench.errors import UserError
from workbench.scoring.faults import refuse_faulty


@dataclass
class FakeTask:
    """The part of an lm-eval task that is read."""

    output_type: str
    docs: Sequence[dict[str, Any]]
    choices: list[str] = field(default_factory=lambda: ["yes", "no"])

    @property
    def config(self) -> SimpleNamespace:
        return SimpleNamespace(output_type=self.output_type)

    @property
    def eval_docs(self) -> Sequence[dict[str, Any]]:
        return self.docs

    def doc_to_target(self, doc: dict[str, Any]) -> Any:
        return doc["gold"]

    def doc_to_choice(self, _doc: dict[str, Any]) -> list[str]:
        return self.choices


@pytest.mark.parametrize("gold", [0, 1, "yes", [0, 1]])
def test_gold_among_the_choices_is_fine(gold: Any) -> None:
    refuse_faulty("t", FakeTask("multiple_choice", [{"gold": gold}]))


@pytest.mark.parametrize(
    ("gold", "fault"),
    [
        (2, "has the gold label 2, but 2 choices"),
        (-1, "has the gold label -1, but 2 choices"),
        ("maybe", "has the gold label 'maybe', which is none of its choices"),
        ([0, 7], "has the gold label 7, but 2 choices"),
        (None, "has no gold label"),
        ([], "has no gold label"),
    ],
)
def test_gold_outside_the_choices_names_the_item(gold: Any, fault: str) -> None:
    task = FakeTask("multiple_choice", [{"gold": 0}, {"id": "q-17", "gold": gold}])
    with pytest.raises(UserError) as caught:
        refuse_faulty("exam", task)
    assert str(caught.value) == f"task 'exam': item 'q-17' {fault}. Mend or drop it in the task's data."


@pytest.mark.parametrize("gold", ["", "  \n", None, [], ["", " "]])
def test_an_empty_reference_names_the_item_by_its_index(gold: Any) -> None:
    with pytest.raises(UserError, match=r"^task 'sum': item 1 has an empty reference\."):
        refuse_faulty("sum", FakeTask("generate_until", [{"gold": "words"}, {"gold": gold}]))


def test_one_reference_of_several_is_enough_and_perplexities_need_none() -> None:
    refuse_faulty("sum", FakeTask("generate_until", [{"gold": ["", "words"]}]))
    refuse_faulty("ppl", FakeTask("loglikelihood_rolling", [{"gold": ""}]))
