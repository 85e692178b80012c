"""Answers that are remembered: nothing is asked twice, and a killed scoring goes on where it was."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest
from lm_eval.api.instance import Instance

from workbench.scoring.answered import Task
from workbench.scoring.harness import Harness, Scores, Settings, load
from workbench.scoring.packed import PackedScorer
from workbench.scoring.tree import Tree

ID = "0123456789abcdef"
TASKS = ("mini_nli", "mini_question_summary")


def task(name: str, confidential: bool = False) -> Task:
    metric = "acc" if name == "mini_nli" else "rouge1"
    return Task(name, name, metric, ID, None, True, True, confidential)


@pytest.fixture
def harness(tasks: Path, tmp_path: Path) -> Harness:
    return Harness(tasks, answers=tmp_path / "answers")


def score(harness: Harness, model: Path, *tasks: Task, limit: int = 5) -> Scores:
    return harness.score("tiny", ID, model, tasks, "test", Settings("float32", 4, limit))


class Asked:
    """Counts what reaches the model: rows of continuations, and texts written."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.continuations = self.texts = 0
        read, answers = Tree.read, PackedScorer._answers

        def counted_read(tree: Tree, batch: Any) -> Any:
            found = read(tree, batch)
            self.continuations += len(found)
            return found

        def counted_answers(scorer: PackedScorer, *arguments: Any) -> Any:
            for found in answers(scorer, *arguments):
                self.texts += 1
                yield found

        patch.setattr(Tree, "read", counted_read)
        patch.setattr(PackedScorer, "_answers", counted_answers)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    return Asked(monkeypatch)


def test_nothing_is_asked_twice_and_more_items_ask_only_for_those(harness: Harness, model: Path, asked: Asked) -> None:
    first = score(harness, model, *map(task, TASKS))
    assert (asked.continuations, asked.texts) == (15, 5)
    again = score(harness, model, *map(task, TASKS))
    assert (asked.continuations, asked.texts) == (15, 5)
    assert again == first
    score(harness, model, *map(task, TASKS), limit=7)
    assert (asked.continuations, asked.texts) == (21, 7)


def test_what_several_items_ask_is_read_once(model: Path, asked: Asked) -> None:
    long = "word " * 5000
    texts = [("a b", " c"), ("", " c"), ("a b", " c"), ("", " c"), ("", " d"), (long, " c"), (long, " c")]
    requests = [Instance("loglikelihood", {}, pair, 0, ("task", place, 1)) for place, pair in enumerate(texts)]
    scorer = load(model, Settings("float32", 4, None))
    found = scorer.loglikelihood(requests, disable_tqdm=True)
    assert asked.continuations + 1 == len(set(texts)), "one is too long to be read our way"
    assert found[0] == found[2] != found[1] == found[3]
    assert scorer.cut == {("task", 5), ("task", 6)}
    alone = load(model, Settings("float32", 4, None))
    assert [alone.loglikelihood([one], disable_tqdm=True)[0][0] for one in requests] == pytest.approx(
        [answer for answer, _ in found], abs=1e-4
    )


def test_whole_texts_are_remembered_too(harness: Harness, model: Path, asked: Asked) -> None:
    notes = Task("mini_notes_perplexity", "notes", "bits_per_byte", ID, None, False, False)
    first = score(harness, model, notes, limit=3)
    read = asked.continuations
    assert read >= 3
    assert score(harness, model, notes, limit=3) == first
    assert asked.continuations == read
    longer = score(harness, model, notes, limit=5)
    assert asked.continuations > read
    assert [item for item in longer.items if item in first.items] == list(first.items)


def test_a_harness_without_a_place_for_answers_asks_again(tasks: Path, model: Path, asked: Asked) -> None:
    for _ in range(2):
        score(Harness(tasks), model, task("mini_nli"))
    assert asked.continuations == 30


def test_another_model_or_dtype_is_asked_itself(harness: Harness, model: Path, asked: Asked, tmp_path: Path) -> None:
    score(harness, model, task("mini_nli"))
    harness.score("tiny", "another-model", model, [task("mini_nli")], "test", Settings("float32", 4, 5))
    harness.score("tiny", ID, model, [task("mini_nli")], "test", Settings("bfloat16", 4, 5))
    assert asked.continuations == 45
    assert len(list((tmp_path / "answers").glob("*.sqlite"))) == 3


def test_a_killed_scoring_goes_on_where_it_was(
    harness: Harness, model: Path, asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = PackedScorer._answers

    def killed(scorer: PackedScorer, *arguments: Any) -> Any:
        for written, found in enumerate(answers(scorer, *arguments)):
            if written == 3:
                raise KeyboardInterrupt
            yield found

    with monkeypatch.context() as patch:
        patch.setattr(PackedScorer, "_answers", killed)
        with pytest.raises(KeyboardInterrupt):
            score(harness, model, *map(task, TASKS))
    before = asked.texts
    score(harness, model, *map(task, TASKS))
    assert before == 4  # three were kept
    assert asked.texts == 4 + 2


def test_a_cut_prompt_is_still_known_as_cut(harness: Harness, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PackedScorer, "max_length", 100)
    first = score(harness, model, *map(task, TASKS))
    again = score(harness, model, *map(task, TASKS))
    assert [row.cut for row in again.rows] == [row.cut for row in first.rows]
    assert any(row.cut for row in first.rows)


def test_of_confidential_tasks_nothing_is_kept(harness: Harness, model: Path, asked: Asked, tmp_path: Path) -> None:
    for _ in range(2):
        score(harness, model, task("mini_nli"), task("mini_question_summary", confidential=True))
    assert (asked.continuations, asked.texts) == (15, 10)
    (file,) = (tmp_path / "answers").glob("*.sqlite")
    (count,) = sqlite3.connect(file).execute("SELECT count(*) FROM answers").fetchone()
    assert count == 15


def test_of_a_confidential_group_nothing_is_kept(model: Path, tmp_path: Path) -> None:
    shipped = Path(__file__).parents[2] / "benchmarks" / "tasks"
    secret = Task("icd10cm", "icd10cm", "acc", ID, None, True, True, confidential=True)
    score(Harness(shipped, answers=tmp_path / "answers"), model, secret, limit=2)
    (file,) = (tmp_path / "answers").glob("*.sqlite")
    assert sqlite3.connect(file).execute("SELECT count(*) FROM answers").fetchone() == (0,)
