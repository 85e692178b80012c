"""A live model asked some items: numbered by column, those of a group's members one after another."""

from __future__ import annotations

import statistics
from pathlib import Path

import pytest

from workbench.scoring.answered import Task
from workbench.scoring.harness import Harness, Settings
from workbench.scoring.live import Live

SHIPPED = Path(__file__).parents[2] / "benchmarks" / "tasks"
TASKS = [
    Task("mini_nli_validation", "nli", "acc", "0" * 16, None, True, True),
    Task("icd10cm_validation", "codes", "acc_mutual_info", "0" * 16, None, True, True),
    Task("mini_notes_perplexity_validation", "text", "bits_per_byte", "0" * 16, None, False, False),
]
SETTINGS = Settings("float32", 8, 4)


@pytest.fixture(scope="module")
def live(model: Path) -> Live:
    return Live(Harness(SHIPPED), model, TASKS, SETTINGS)


def test_a_group_is_one_column_of_all_its_members_items(live: Live) -> None:
    assert live.sizes == {"nli": 4, "codes": 3 * 4}, "what is not in the mean is not asked"


def test_all_items_make_the_scores_of_the_suite(live: Live, model: Path) -> None:
    values = live.ask("an-id", {name: range(n) for name, n in live.sizes.items()})
    scores = Harness(SHIPPED).score("m", "an-id", model, TASKS[:2], "validation", SETTINGS)
    assert {row.task: row.value for row in scores.rows} == pytest.approx(
        {name: statistics.fmean(of_task) for name, of_task in values.items()}
    )


def test_some_items_answer_as_they_do_among_all(live: Live) -> None:
    everything = live.ask("an-id", {"codes": range(12)})["codes"]
    assert live.ask("an-id", {"codes": [11, 0, 5]}) == {"codes": [everything[11], everything[0], everything[5]]}
