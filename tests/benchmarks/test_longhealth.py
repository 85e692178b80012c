"""LongHealth's three tasks, on three invented patients in the format of benchmark_v5.json."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import tiny
from lm_eval.tasks import TaskManager

from workbench.data.catalogue import SOURCES
from workbench.data.longhealth import patients
from workbench.data.source import RemoteFile, Source
from workbench.errors import UserError

TASKS = [f"longhealth_task{number}" for number in (1, 2, 3)]
UNANSWERABLE = "F: Question cannot be answered with provided documents"


def question(text: str, correct: str, *location: str) -> dict[str, Any]:
    options = ["Gout", "Cough", "Hay fever", "Scabies", "Correct answer missing"]
    where = {name: {"start": [0.1], "end": [0.4]} for name in location}
    letters = {f"answer_{letter}": option for letter, option in zip("abcde", options, strict=True)}
    return {"No": 0, "question": text, **letters, "correct": correct, "answer_location": where}


def invented() -> dict[str, Any]:
    """Documents tell whose they are: "p2t1 ..." is the second text of the second patient."""
    found = {}
    for number, texts in ((1, 4), (2, 3), (3, 5)):
        documents = {f"text_{i}": f"p{number}t{i} was seen at the clinic." for i in range(texts)}
        asked = [question("What did he have?", "Cough", "text_1"), question("What else?", "Gout", "text_0", "text_2")]
        found[f"patient_0{number}"] = {"name": "Nobody", "texts": documents, "questions": asked}
    return found


Place = Callable[[Any], Path]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """Puts a file in the place of LongHealth's."""
    monkeypatch.setenv("WORKBENCH_MIRROR", str(tmp_path))
    monkeypatch.setitem(SOURCES, "longhealth", Source("longhealth", "", "", (RemoteFile("benchmark_v5.json"),)))

    def write(found: Any) -> Path:
        path = tmp_path / "longhealth" / "benchmark_v5.json"
        path.parent.mkdir()
        path.write_text(found if isinstance(found, str) else json.dumps(found))
        return path

    return write


@pytest.fixture(scope="module")
def utils() -> ModuleType:
    return tiny.task_module("longhealth")


def named(row: dict[str, Any]) -> list[str]:
    """Which documents a row shows, in its order: "p2t1"."""
    return [document.split()[0] for document in row["documents"]]


def test_the_three_tasks_show_the_documents_they_should(place: Place, manager: TaskManager) -> None:
    place(invented())
    tasks = manager.load(TASKS)["tasks"]
    own = {"patient_01": {"p1t0", "p1t1", "p1t2", "p1t3"}, "patient_02": {"p2t0", "p2t1", "p2t2"}}
    own["patient_03"] = {"p3t0", "p3t1", "p3t2", "p3t3", "p3t4"}
    for name in TASKS:
        rows = list(tasks[name].eval_docs)
        assert len(rows) == 5 * 6  # five draws of six questions
        assert len({row["id"] for row in rows}) == 30
        assert [row["id"].rsplit("-", 1)[1] for row in rows[:6]] == ["0"] * 6
        for row in rows:
            patient, asked, _ = row["id"].split("-")
            telling = [{f"p{patient[-1]}t1"}, {f"p{patient[-1]}t0", f"p{patient[-1]}t2"}][int(asked)]
            shown = named(row)
            strangers = set(shown) - own[patient]
            assert len(set(shown)) == len(shown)
            if name == TASKS[0]:
                assert set(shown) == own[patient]
            else:
                assert len(strangers) == min(10, 12 - len(own[patient]))
                assert set(shown) - strangers == (telling if name == TASKS[1] else set())
            right = ["B: Cough", "A: Gout"][int(asked)]
            assert row["gold"] == (UNANSWERABLE if name == TASKS[2] else right)
            assert row["gold"] in row["options"]
            assert len(row["options"]) == (5 if name == TASKS[0] else 6)


def test_every_draw_has_its_own_order_and_every_process_the_same(place: Place, manager: TaskManager) -> None:
    place(invented())
    first, again = (manager.load(TASKS)["tasks"] for _ in range(2))
    for name in TASKS:
        assert list(first[name].eval_docs) == list(again[name].eval_docs)
        orders = {tuple(named(row)) for row in first[name].eval_docs if row["id"].startswith("patient_03-0-")}
        assert len(orders) >= 4


def test_prompt_and_scores(place: Place, manager: TaskManager) -> None:
    place(invented())
    task = manager.load(TASKS[1])["tasks"][TASKS[1]]
    doc = next(row for row in task.eval_docs if row["id"] == "patient_02-0-0")
    prompt = task.fewshot_context(doc, num_fewshot=0)
    documents = "\n\n--------------\n\n".join(doc["documents"])
    frame = (
        f"--------------BEGIN DOCUMENTS--------------\n\n{documents}\n\n--------------END DOCUMENTS--------------\n\n"
    )
    assert f"\n\n{frame}What did he have?\nA: Gout\nB: Cough\nC: Hay fever\n" in prompt
    assert f"\n{UNANSWERABLE}\n\nAnswer in one sentence" in prompt
    assert prompt.endswith("\nAnswer:")
    assert task.doc_to_target(doc) == "The correct answer is B: Cough"

    def score(answer: str) -> tuple[float, ...]:
        found = task.process_results(doc, [answer])
        return found["acc"], found["unparsable"], found["empty"]

    assert score(" The correct answer is B: Cough.") == (1, 0, 0)
    assert score(" The correct answer is A: Gout.") == (0, 0, 0)
    assert score(" B") == (0, 1, 0)  # CLUE's rule: the phrase is asked for
    assert score("\n") == (0, 1, 1)


def test_fitting_cuts_the_first_document_that_does_not_fit(utils: ModuleType) -> None:
    # Pieces: one|two, 18 for the separator, then two are left for three|four|five.
    assert utils.fitting(["one two", "three four five", "six"], 22) == ["one two", "three four"]
    assert utils.fitting(["one two", "three"], 22) == ["one two", "three"]
    assert utils.fitting(["one two", "three"], 20) == ["one two"]
    assert utils.pieces("Na 138, K 4.1\nHaemoglobin") == 1 + 3 + 1 + 1 + 3 + 1 + 3


@pytest.mark.parametrize("task", [1, 2, 3])
def test_long_documents_fill_the_room_and_no_more(
    task: int, place: Place, manager: TaskManager, utils: ModuleType
) -> None:
    found = invented()
    for patient in found.values():
        for name, text in patient["texts"].items():
            patient["texts"][name] = text + " Na 138 mmol/L; he coughed at night." * 250
    place(found)
    loaded = manager.load(f"longhealth_task{task}")["tasks"][f"longhealth_task{task}"]
    for row in loaded.eval_docs:
        assert 7900 < utils.pieces(loaded.fewshot_context(row, num_fewshot=0)) <= 8140
        if task < 3:
            evidence = {"0": {"1"}, "1": {"0", "2"}}[row["id"].split("-")[1]]
            patient = row["id"].split("-")[0][-1]
            assert {f"p{patient}t{i}" for i in evidence} <= set(named(row))  # they go first, others fill up


def test_a_gold_answer_within_one_option_is_that_option(tmp_path: Path) -> None:
    found = invented()
    found["patient_01"]["questions"][0]["correct"] = "fever"
    path = tmp_path / "benchmark_v5.json"
    path.write_text(json.dumps(found))
    assert patients(path)[0].questions[0].answer == 2


def bad(key: str, value: Any) -> dict[str, Any]:
    found = invented()
    found["patient_02"]["questions"][1][key] = value
    return found


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ("{", "is no JSON"),
        ([], "holds no patients"),
        ({"patient_01": {"texts": {"text_0": "t"}}}, "patient_01 is not in the format.*'questions'"),
        (bad("correct", "Measles"), "question patient_02-1 has the gold answer 'Measles'"),
        (bad("correct", "o"), "patient_02-1 has the gold answer 'o', which is not exactly one"),
        (bad("answer_c", ""), "question patient_02-1 has an empty text or option"),
        (bad("answer_location", {"text_9": {}}), "patient_02-1 is answered in 'text_9'"),
    ],
)
def test_what_is_not_in_the_format_is_refused(found: Any, message: str, place: Place, manager: TaskManager) -> None:
    path = place(found)
    with pytest.raises(UserError, match=f"{path}.*{message}"):
        manager.load(TASKS[0])
