"""The topics as lm-eval sees them: whole, balanced, distinct, and without a text of any test set."""

from __future__ import annotations

import csv
import itertools
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openpyxl
import pytest
import yaml
from lm_eval.tasks import TaskManager

from workbench.data.catalogue import SOURCES
from workbench.data.grams import Index
from workbench.data.items import csv_items, json_items
from workbench.data.overlap import item_text
from workbench.data.sources import missing, path_of
from workbench.data.topics.guessers import FEATURES, accuracy
from workbench.data.topics.item import Item
from workbench.data.topics.table import TOPICS
from workbench.data.topics.words import ALIKE, likeness, word_set

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
TASKS = BENCHMARKS / "tasks"
N = {
    "clinical_case": 180,
    "clinical_knowledge": 400,
    "medication": 320,
    "icd10cm_definitions": 400,
    "radiology_report": 366,
    "clinical_nli": 333,
    "discharge_qa": 216,
    "discharge_codes": 400,
    "problem_list": 400,
    "inquiry_summary": 306,
    "consultation_qa": 262,
    "ehr_documents_qa": 205,
}
MOST_GAIN = 0.045
"""Of a guesser's accuracy, over or under chance. Guessing at 400 questions has a standard deviation of 0.022."""

Rows = list[dict[str, Any]]


def needs(*sources: str) -> pytest.MarkDecorator:
    reasons = [missing(source) if source in SOURCES else f"{source} is not in the catalogue" for source in sources]
    told = " ".join(reason for reason in reasons if reason)
    return pytest.mark.skipif(bool(told), reason=told)


topics = pytest.mark.parametrize(
    "topic", [pytest.param(name, marks=needs(*topic.sources)) for name, topic in TOPICS.items()]
)


@pytest.fixture(scope="module")
def rows(manager: TaskManager) -> Any:
    """`rows(topic)`: the questions as lm-eval sees them, each topic loaded once."""
    loaded: dict[str, Rows] = {}

    def load(topic: str) -> Rows:
        if topic not in loaded:
            name = f"topic_{topic}_validation"
            loaded[topic] = list(manager.load(name)["tasks"][name].eval_docs)
        return loaded[topic]

    return load


@topics
def test_as_many_questions_as_stated_each_whole(topic: str, rows: Any) -> None:
    found = rows(topic)
    options = TOPICS[topic].options
    assert len(found) == N[topic]
    assert len({(row["source"], row["id"]) for row in found}) == len(found)
    known = {*SOURCES, *(path.name for path in TASKS.glob("mini_*"))}
    for row in found:
        assert len(row["options"]) == len(set(row["options"])) == options, row["id"]
        assert all(text == text.strip() != "" for text in (*row["options"], row["question"])), row["id"]
        assert 0 <= row["answer"] < options
        assert row["source"] in known
    places = Counter(row["answer"] for row in found)
    assert max(places.values()) - min(places[i] for i in range(options)) <= 1


@topics
def test_no_guesser_gains_on_chance(topic: str, rows: Any) -> None:
    keys = ("id", "source", "context", "question", "answer")
    found = [Item(**{key: row[key] for key in keys}, options=tuple(row["options"])) for row in rows(topic)]
    for feature, sign in itertools.product(FEATURES, (1, -1)):
        gain = accuracy(found, feature, sign) - 1 / TOPICS[topic].options
        assert abs(gain) < MOST_GAIN, (feature, sign, gain)


@topics
def test_no_two_questions_are_near_identical(topic: str, rows: Any) -> None:
    for one, other in itertools.combinations(rows(topic), 2):
        asked = [word_set(f"{row['question']} {row['options'][row['answer']]}") for row in (one, other)]
        if likeness(*asked) >= ALIKE:
            assert likeness(word_set(one["context"]), word_set(other["context"])) < ALIKE, (one["id"], other["id"])


def test_questions_are_the_same_in_another_process_with_another_hash_seed(rows: Any) -> None:
    script = (
        "import json, pathlib\n"
        "from workbench.data.topics.material import Material\n"
        "from workbench.data.topics.table import items\n"
        f"material = Material(pathlib.Path({str(TASKS)!r}), frozenset)\n"
        "print(json.dumps([(one.id, one.options, one.answer) for one in items('clinical_knowledge', material)]))"
    )
    env = {**os.environ, "PYTHONHASHSEED": "123"}
    there = subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, text=True, check=True)
    here = [[row["id"], row["options"], row["answer"]] for row in rows("clinical_knowledge")]
    assert json.loads(there.stdout.splitlines()[-1]) == here


def test_the_suite_names_every_topic_with_its_sources_and_chance(manager: TaskManager) -> None:
    suite = yaml.safe_load((BENCHMARKS / "suites" / "topics_validation.yaml").read_text())
    assert (suite["kind"], suite["role"]) == ("suite", "validation")
    assert [entry["name"].removeprefix("topic_") for entry in suite["tasks"]] == list(TOPICS)
    for entry, topic in zip(suite["tasks"], TOPICS.values(), strict=True):
        assert entry["task"] == f"{entry['name']}_validation"
        assert entry["chance"] == round(1 / topic.options, 3)
        assert tuple(entry.get("sources", ())) == topic.sources
        config = manager.task_index[entry["task"]].cfg
        assert config["dataset_kwargs"] == {"topic": topic.name}
        assert entry["metric"] in {metric["metric"] for metric in config["metric_list"]}
        told = (TASKS / "topics" / f"{entry['task']}.yaml").read_text()
        assert f"# Read {entry['metric']}: " in told


def test_prompt_and_options(manager: TaskManager) -> None:
    name = "topic_discharge_codes_validation"
    task = manager.load(name)["tasks"][name]
    row = next(row for row in task.eval_docs if row["context"])
    assert task.fewshot_context(row, num_fewshot=0) == f"{row['context']}\nQuestion: {row['question']}"
    assert task.doc_to_choice(row) == [f"Answer: {option}" for option in row["options"]]
    assert task.doc_to_target(row) == row["answer"]
    assert task.config.target_delimiter == "\n"
    bare = {**row, "context": ""}
    assert task.fewshot_context(bare, num_fewshot=0) == f"Question: {row['question']}"


def test_no_topic_asks_about_a_code_that_a_test_asks_about(manager: TaskManager, rows: Any) -> None:
    forms = [f"icd10cm{form}_{level}" for form in ("", "_clue", "_heldout") for level in ("easy", "medium", "hard")]
    tested = {row["code"] for task in manager.load(forms)["tasks"].values() for row in task.dataset["test"]}
    assert len(tested) > 1000
    asked = {row["id"].partition("-")[2] for row in rows("icd10cm_definitions")}
    lists = {row["id"].partition(":")[2] for row in rows("discharge_codes") if row["id"].startswith("list-")}
    assert asked
    assert lists
    assert not (asked | lists) & tested


def spreadsheet(source: str, file: str) -> Rows:
    book = openpyxl.load_workbook(path_of(source, file), read_only=True)
    header, *found = book.active.iter_rows(values_only=True)
    book.close()
    return [dict(zip(header, row, strict=False)) for row in found]


def of_split(source: str, file: str, split: str) -> Rows:
    return [row for row in json_items(path_of(source, file)) if row["split"] == split]


def columns(source: str, file: str, *names: str) -> Rows:
    return [{name: row[name] for name in names} for row in csv_items(path_of(source, file))]


def mini() -> Iterator[Rows]:
    for path in TASKS.glob("mini_*/test.jsonl"):
        yield json_items(path)


def fetched() -> Iterator[Rows]:
    """The test sets that have to be fetched, as rows."""
    for file in ("clinicalnlp_taskB_test1", "clinicalnlp_taskC_test2", "clef_taskC_test3"):
        yield columns("aci-bench", f"{file}.csv", "dialogue", "note")
    for file in SOURCES["mts-dialog"].files:
        if "TestSet" in file.name:
            yield columns("mts-dialog", file.name, "dialogue", "section_text")
    yield columns("medec-ms", "MEDEC-MS-TestSet-with-GroundTruth-and-ErrorType.csv", "Text", "Corrected Text")
    yield spreadsheet("meqsum", "MeQSum_ACL2019_BenAbacha_Demner-Fushman.xlsx")
    yield spreadsheet("medicationqa", "MedInfo2019-QA-Medications.xlsx")
    labelled = json.loads(path_of("pubmedqa", "ori_pqal.json").read_text(encoding="utf-8"))
    yield [labelled[pmid] for pmid in json.loads(path_of("pubmedqa", "test_ground_truth.json").read_text("utf-8"))]
    yield of_split("evidence-inference", "evidence_inference_v2.jsonl", "test")
    yield columns("sdoh-nli", "sdoh_nli_test.csv", "premise")  # its hypotheses are those of all three splits
    yield of_split("codiesp-en", "codiesp_en_train_dev.jsonl", "dev")
    yield [json.loads(path_of("mediqa-oe", "test_orders_data.json").read_text(encoding="utf-8"))]
    yield json_items(path_of("medquad", "medquad.jsonl"))
    for file in SOURCES["mirage"].files:
        if file.name.endswith(".csv"):
            with path_of("mirage", file.name).open(newline="", encoding="utf-8") as text:
                yield [{"cells": row} for row in csv.reader(text)]
        else:
            yield json_items(path_of("mirage", file.name))


TEST_SOURCES = (
    "aci-bench", "mts-dialog", "medec-ms", "meqsum", "medicationqa", "pubmedqa", "evidence-inference", "sdoh-nli",
    "codiesp-en", "mediqa-oe", "medquad", "mirage",
)  # fmt: skip


@pytest.fixture(scope="module")
def mini_tests() -> Index:
    return Index.of(item_text(row) for found in mini() for row in found)


@pytest.fixture(scope="module")
def fetched_tests() -> Index:
    return Index.of(item_text(row) for found in fetched() for row in found)


def clashes(found: Rows, index: Index) -> list[str]:
    """Ids of the questions that share 13 words in a row with an index, anywhere in what the model may see."""
    return [row["id"] for row in found if index.overlaps(item_text({**row, "source": ""}))]


def test_the_check_finds_what_is_there(mini_tests: Index, rows: Any) -> None:
    text = next(row["document"] for found in mini() for row in found if "document" in row)
    row = rows("discharge_codes")[0]
    assert clashes([{**row, "context": f"Something before. {text}"}], mini_tests) == [row["id"]]


@topics
def test_no_question_shares_text_with_a_mini_test(topic: str, rows: Any, mini_tests: Index) -> None:
    assert clashes(rows(topic), mini_tests) == []


@needs(*TEST_SOURCES)
@topics
def test_no_question_shares_text_with_a_fetched_test(topic: str, rows: Any, fetched_tests: Index) -> None:
    assert clashes(rows(topic), fetched_tests) == []
