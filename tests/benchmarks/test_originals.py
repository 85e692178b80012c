"""The open originals of CLUE+: counts on the real files, prompts, scores and refusals on tiny ones written here."""

from __future__ import annotations

import csv
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import openpyxl
import pandas
import pytest
from lm_eval.tasks import TaskManager

from workbench.data.catalogue import SOURCES
from workbench.data.source import RemoteFile, Source
from workbench.data.sources import missing, path_of
from workbench.errors import UserError
from workbench.scoring import metrics

MEQSUM = "MeQSum_ACL2019_BenAbacha_Demner-Fushman.xlsx"
MEDICATIONQA = "MedInfo2019-QA-Medications.xlsx"
MEDEC = [f"MEDEC-MS-{split}Set-with-GroundTruth-and-ErrorType.csv" for split in ("Validation", "Test")]
ACI = ["train.csv", "valid.csv", "clinicalnlp_taskB_test1.csv", "clinicalnlp_taskC_test2.csv", "clef_taskC_test3.csv"]

Place = Callable[[str, str, Sequence[Sequence[str]]], Path]


def needs(source: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(missing(source) is not None, reason=str(missing(source)))


COUNTS = {
    "meqsum": {"fewshot": 3, "test": 997},
    "medicationqa": {"fewshot": 3, "test": 660},  # 690 less 1 repeat, 26 long answers and 3 shots
    "medec": {"fewshot": 2, "validation": 572, "test": 597},
    "aci_bench": {"fewshot": 1, "validation": 20, "test": 120},
}
REAL = {"meqsum": "meqsum", "medicationqa": "medicationqa", "medec": "medec-ms", "aci_bench": "aci-bench"}
TEXT = {"meqsum": "CHQ", "medicationqa": "answer", "medec": "sentences", "aci_bench": "dialogue"}
real = [pytest.param(task, marks=needs(source)) for task, source in REAL.items()]


@pytest.mark.parametrize("task", real)
def test_real_files_give_the_stated_counts_and_no_shot_is_asked(task: str, manager: TaskManager) -> None:
    loaded = manager.load(task)["tasks"][task]
    data = loaded.dataset
    assert {split: len(rows) for split, rows in data.items()} == COUNTS[task]
    assert loaded.config.num_fewshot == COUNTS[task]["fewshot"]
    assert len(loaded.eval_docs) == COUNTS[task]["test"]
    for key in ("id", TEXT[task]):
        splits = {split: set(rows[key]) for split, rows in data.items()}
        assert not splits["fewshot"] & (splits["test"] | splits.get("validation", set())), key
    ids = [name for rows in data.values() for name in rows["id"]]
    assert len(set(ids)) == len(ids)
    assert all(loaded.doc_to_target(row).strip() for row in loaded.eval_docs)


@needs("meqsum")
def test_meqsum_is_in_the_order_of_clue(manager: TaskManager) -> None:
    data = pandas.read_excel(path_of("meqsum", MEQSUM)).to_dict("records")  # CLUE's own lines
    random.seed(1)
    random.shuffle(data)
    found = manager.load("meqsum")["tasks"]["meqsum"].dataset
    ids = [*found["fewshot"]["id"], *found["test"]["id"]]
    assert ids == [item["File"] for item in data]
    assert [item["Summary"].strip() for item in data[:3]] == found["fewshot"]["Summary"]


@needs("medec-ms")
def test_medec_shots_are_one_text_with_an_error_and_one_without(manager: TaskManager) -> None:
    tasks = manager.load(["medec", "medec_correction"])["tasks"]
    errors = [row["error_sentence"] for row in tasks["medec"].dataset["fewshot"]]
    assert min(errors) == -1 < max(errors)
    test = tasks["medec"].eval_docs
    assert sum(row["error_sentence"] >= 0 for row in test) == 311
    assert list(test) == list(tasks["medec_correction"].eval_docs)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """Writes a table in the place of a source's file, in an empty mirror and without the pinned checksum."""
    monkeypatch.setenv("WORKBENCH_MIRROR", str(tmp_path))
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path / "cache"))

    def write(source: str, file: str, rows: Sequence[Sequence[str]]) -> Path:
        names = {MEQSUM, MEDICATIONQA, *MEDEC, *ACI}
        monkeypatch.setitem(SOURCES, source, Source(source, "", "", tuple(RemoteFile(name) for name in sorted(names))))
        path = tmp_path / source / file
        path.parent.mkdir(exist_ok=True)
        if path.suffix == ".xlsx":
            book = openpyxl.Workbook()
            for row in rows:
                book.active.append(list(row))
            book.save(path)
        else:
            with path.open("w", newline="", encoding="utf-8") as out:
                csv.writer(out).writerows(rows)
        return path

    return write


def messages_of(task: Any, doc: dict[str, Any]) -> list[dict[str, str]]:
    """What a chat template would get."""
    seen: list[list[dict[str, str]]] = []

    def template(messages: list[dict[str, str]], add_generation_prompt: bool) -> str:
        seen.append(messages)
        return ""

    task.fewshot_context(
        doc,
        num_fewshot=task.config.num_fewshot,
        apply_chat_template=True,
        fewshot_as_multiturn=True,
        chat_template=template,
    )
    return seen[0]


MEQSUM_ROWS = [
    ("File", "CHQ", "Summary"),
    *((f"f{i}", f"My toe {i} hurts.", f"Why does toe {i} hurt?") for i in range(5)),
]


def test_meqsum_prompt_and_scores(place: Place, manager: TaskManager, monkeypatch: pytest.MonkeyPatch) -> None:
    place("meqsum", MEQSUM, MEQSUM_ROWS)
    task = manager.load("meqsum")["tasks"]["meqsum"]
    order = list(range(5))
    random.Random(1).shuffle(order)
    assert [row["id"] for row in task.eval_docs] == [f"f{i}" for i in order[3:]]
    doc = task.eval_docs[0]
    system, *turns = messages_of(task, doc)
    assert system["role"] == "system"
    assert system["content"].startswith("You are a highly skilled assistant, specifically trained to assist patients.")
    assert [turn["role"] for turn in turns] == ["user", "assistant"] * 3 + ["user"]
    assert turns[1]["content"] == f"Why does toe {order[0]} hurt?"
    frame = (
        "--------------PATIENT INQUIRY--------------\n{}\n--------------END PATIENT INQUIRY--------------\nQUESTION:"
    )
    assert turns[-1]["content"] == frame.format(doc["CHQ"])
    plain = task.fewshot_context(doc, num_fewshot=3)
    assert plain.startswith(system["content"].rstrip() + "\n\n--------------PATIENT INQUIRY")
    assert f"QUESTION: Why does toe {order[0]} hurt?\n\n-" in plain

    monkeypatch.setitem(metrics.METRICS, "bertscore", lambda reference, prediction: 0.5)
    right = task.process_results(doc, [doc["Summary"]])
    assert right == {"rougeL": 1.0, "rouge1": 1.0, "rouge2": 1.0, "bertscore": 0.5, "composite": 0.875, "empty": 0.0}
    assert task.process_results(doc, [" "])["empty"] == 1.0


def test_medicationqa_leaves_out_repeats_and_pages(place: Place, manager: TaskManager) -> None:
    long, longest = "dose " * 200, "dose " * 201
    answers = ["blue", "blue", "by mouth\n\nwith  food", long, longest, "none", "twice a day"]
    rows = [("Question", "Focus (Drug)", "Answer"), *((f"q{a[:4]}", "drug", a) for a in answers)]
    place("medicationqa", MEDICATIONQA, rows)
    task = manager.load("medicationqa")["tasks"]["medicationqa"]
    items = [row for rows in task.dataset.values() for row in rows]
    assert sorted(row["answer"] for row in items) == sorted(
        ["blue", "by mouth with food", long.strip(), "none", "twice a day"]
    )
    assert "medicationqa-2" in {row["id"] for row in items}  # the first of the two alike, by its row
    doc = task.eval_docs[0]
    assert messages_of(task, doc)[-1]["content"] == f"Question: {doc['question']}\nAnswer:"
    assert task.process_results(doc, [doc["answer"]]) == {"rouge1": 1.0, "empty": 0.0}


MEDEC_HEAD = ("Text ID", "Text", "Sentences", "Error Flag", "Error Type", "Error Sentence ID", "Corrected Sentence")


def medec_row(name: str, flag: str, gold: str, corrected: str) -> tuple[str, ...]:
    sentences = "0 He coughs.\r\n1 He got\r\n\r\nan antacid for it.\r\n12 He left.\r\n"
    return (name, "He coughs.", sentences, flag, "treatment", gold, corrected)


WRONG, RIGHT = ("1", "1", "He got  codeine."), ("0", "-1", "NA")


def place_medec(place: Place, *test: tuple[str, str, str]) -> None:
    blank = ("",) * len(MEDEC_HEAD)
    validation = [medec_row(f"v{i}", *gold) for i, gold in enumerate([WRONG, RIGHT, RIGHT])]
    place("medec-ms", MEDEC[0], [MEDEC_HEAD, *validation])
    place("medec-ms", MEDEC[1], [MEDEC_HEAD, *(medec_row(f"t{i}", *g) for i, g in enumerate(test)), blank, blank])


def test_medec_prompt_and_scores(place: Place, manager: TaskManager) -> None:
    place_medec(place, WRONG, RIGHT)
    task = manager.load("medec")["tasks"]["medec"]
    assert {split: len(rows) for split, rows in task.dataset.items()} == {"fewshot": 2, "validation": 1, "test": 2}
    wrong, right = task.eval_docs
    system, *turns = messages_of(task, wrong)
    assert system["content"].startswith("Task: Medical Error Detection in Clinical Text\nRole: You are an expert")
    assert turns[-1]["content"] == "0 He coughs.\n1 He got\nan antacid for it.\n12 He left.\nOutput:"
    assert (task.doc_to_target(wrong), task.doc_to_target(right)) == ("1", "-1")

    def score(doc: dict[str, Any], answer: str) -> tuple[float, ...]:
        found = task.process_results(doc, [answer])
        return tuple(found[key] for key in ("sentence_accuracy", "flag_accuracy", "unparsable", "empty"))

    assert score(wrong, " 1") == (1, 1, 0, 0)
    assert score(wrong, " 12") == (0, 1, 0, 0)
    assert score(wrong, " 2") == (0, 0, 1, 0)  # there is no sentence 2
    assert score(right, " -1") == (1, 1, 0, 0)
    assert score(right, "") == (0, 0, 1, 1)


def test_medec_correction_reads_one_line_of_three_parts(
    place: Place, manager: TaskManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(metrics.METRICS, "bertscore", lambda reference, prediction: 0.5)
    place_medec(place, WRONG, RIGHT)
    task = manager.load("medec_correction")["tasks"]["medec_correction"]
    wrong, right = task.eval_docs
    assert (task.doc_to_target(wrong), task.doc_to_target(right)) == ("1 1 He got codeine.", "0 -1 NA")

    def score(doc: dict[str, Any], answer: str) -> tuple[float, ...]:
        found = task.process_results(doc, [answer])
        names = ("composite", "flag_accuracy", "sentence_accuracy", "corrected_rouge1", "unparsable", "empty")
        return tuple(found[name] for name in names)

    assert score(wrong, '\n1 1 "He got codeine."\nIndeed.') == (0.75, 1, 1, 1, 0, 0)
    assert score(wrong, "1 0 He got codeine.") == (0.75, 1, 0, 1, 0, 0)
    assert score(wrong, "0 -1\nNA") == (0, 0, 0, 0, 0, 0)
    assert score(right, "0 -1 NA") == (1, 1, 1, 1, 0, 0)
    assert score(right, "The text is correct.") == (0, 0, 0, 0, 1, 0)
    assert score(right, " ") == (0, 0, 0, 0, 1, 1)


ACI_HEAD = ("dataset", "encounter_id", "dialogue", "note")


def test_aci_bench_prompt_and_scores(place: Place, manager: TaskManager) -> None:
    for file in ACI:
        row = ("aci", f"D-{file}", f"[doctor] hi {file}\n[patient] hello", f"CHIEF COMPLAINT\n\nCough {file}.")
        place("aci-bench", file, [ACI_HEAD, row, *([row] if file == ACI[0] else [])])
    task = manager.load("aci_bench")["tasks"]["aci_bench"]
    assert task.eval_docs["id"] == [f"D-{file}" for file in ACI[2:]]
    doc = task.eval_docs[0]
    system, shot, answer, asked = messages_of(task, doc)
    heads = ("CHIEF COMPLAINT", "HISTORY OF PRESENT ILLNESS", "PHYSICAL EXAM", "RESULTS", "ASSESSMENT AND PLAN")
    assert all(f"\n{head}: " in system["content"] for head in heads)
    assert shot["content"] == "CONVERSATION:\n[doctor] hi train.csv\n[patient] hello\n\nCLINICAL NOTE:"
    assert answer["content"] == "CHIEF COMPLAINT\n\nCough train.csv."
    assert task.fewshot_context(doc, num_fewshot=1).endswith(asked["content"])
    assert "CLINICAL NOTE:\nCHIEF COMPLAINT\n\nCough train.csv.\n\nCONV" in task.fewshot_context(doc, num_fewshot=1)
    assert task.process_results(doc, [doc["note"]]) == {"rouge1": 1.0, "rouge2": 1.0, "rougeL": 1.0, "empty": 0.0}


BAD = [
    ("meqsum", "meqsum", MEQSUM, [("File", "CHQ"), ("f", "My toe hurts.")], "item 1: has no 'Summary', only 'File'"),
    ("meqsum", "meqsum", MEQSUM, [*MEQSUM_ROWS, ("f9", "My toe hurts.", " ")], "item 6: 'Summary' is empty"),
    ("meqsum", "meqsum", MEQSUM, MEQSUM_ROWS[:4], "3 items, but at least 4"),
    ("medicationqa", "medicationqa", MEDICATIONQA, [("Question", "Reply"), ("q", "a")], "item 1: has no 'Answer'"),
    ("medicationqa", "medicationqa", MEDICATIONQA, [("Question", "Answer"), ("q", "?")], "item 1: 'Answer' is empty"),
    ("aci_bench", "aci-bench", ACI[0], [("encounter_id", "note"), ("D1", "n")], "item 1: has no 'dialogue'"),
    ("aci_bench", "aci-bench", ACI[0], [ACI_HEAD, ("aci", "D1", "[doctor] hi", "")], "item 1: 'note' is empty"),
]


@pytest.mark.parametrize(("task", "source", "file", "rows", "message"), BAD)
def test_a_faulty_file_is_refused_with_the_item_and_the_column(
    task: str, source: str, file: str, rows: list[tuple[str, ...]], message: str, place: Place, manager: TaskManager
) -> None:
    path = place(source, file, rows)
    with pytest.raises(UserError, match=f"{path}.*{message}"):
        manager.load(task)


@pytest.mark.parametrize(
    ("flag", "gold", "corrected", "message"),
    [
        ("1", "2", "He got codeine.", "'Error Flag' 1 and 'Error Sentence ID' 2 do not fit"),
        ("1", "-1", "He got codeine.", "'Error Flag' 1 and 'Error Sentence ID' -1 do not fit"),
        ("1", "1", "NA", "'Error Flag' 1 and 'Error Sentence ID' 1 do not fit"),
        ("0", "1", "NA", "'Error Flag' 0 and 'Error Sentence ID' 1 do not fit"),
        ("", "-1", "NA", "'Error Flag' is empty"),
    ],
)
def test_medec_gold_labels_that_do_not_fit_are_refused(
    flag: str, gold: str, corrected: str, message: str, place: Place, manager: TaskManager
) -> None:
    place_medec(place, RIGHT, (flag, gold, corrected))
    with pytest.raises(UserError, match=f"{MEDEC[1]}, item 2: {message}"):
        manager.load("medec")
