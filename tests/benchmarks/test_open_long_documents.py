"""open_long_documents: contexts of visits, their one right order, and the visits that no split shares."""

from __future__ import annotations

import importlib.util
import re
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest
from lm_eval.tasks import TaskManager

from workbench.data.orders import Order, Visit, names, visits
from workbench.data.sources import missing

BUILDER = Path(__file__).parents[2] / "benchmarks" / "tasks" / "open_long_documents" / "utils.py"
ABSENT = [reason for source in ("aci-bench", "mediqa-oe", "primock57") if (reason := missing(source)) is not None]
on_real_files = pytest.mark.skipif(bool(ABSENT), reason=" ".join(ABSENT))


def visit(number: int, *drugs: str, words: int = 10) -> Visit:
    """A visit whose last turn orders the drugs; `words` are those of the turns before it."""
    turns = [f"[doctor] {'well ' * 8}so{number}" for _ in range(words // 10)]
    said = f"[doctor] take {' and '.join(drugs)} twice a day"
    orders = tuple(Order("medication", f"{drug} twice a day") for drug in drugs)
    return Visit(f"v{number}", "test1", "\n".join([*turns, said]), orders)


DRUGS = ("lisinopril", "meloxicam", "metformin", "prozac", "lasix", "norvasc", "zoloft", "lexapro", "keppra")


@pytest.fixture
def long_documents(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The builder over nine visits of 1,000 words, of which each orders a drug of its own, and the first one more."""
    spec = importlib.util.spec_from_file_location("long_documents", BUILDER)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    pool = [visit(i, drug, *(["tylenol"] if i == 0 else []), words=990) for i, drug in enumerate(DRUGS)]
    dropped = Visit("of train", "train", "[doctor] take gabapentin", (Order("medication", "gabapentin"),))
    monkeypatch.setattr(module, "visits", lambda split: (*pool, dropped))
    return module


def test_long_documents_hold_the_order_or_leave_its_visit_out(long_documents: ModuleType) -> None:
    form = long_documents.FORMS["full"]
    rows = long_documents.items("test", form)
    assert Counter(row["answer"] == 5 for row in rows) == {False: 20, True: 5}  # ten orders: twice with, half without
    for row in rows:
        name, number, _ = row["id"].split("-")
        drug = ("tylenol" if number == "1" else DRUGS[int(name[1:])]) + " twice a day"
        patient = re.search(r"patient (\d+)\?$", row["question"])
        assert patient is not None
        documents = row["documents"].split("\n\nVisit of patient ")
        shown = [document for document in documents if f"take {DRUGS[int(name[1:])]}" in document]
        assert drug in row["options"]
        assert len(set(row["options"])) == 6
        assert row["options"][5] == "Question cannot be answered with provided documents"
        assert len(documents) == len(row["visits"]) == 5
        assert "of train" not in row["visits"]
        if row["answer"] == 5:
            assert not shown
            assert patient[1] not in row["documents"]
        else:
            assert row["options"][row["answer"]] == drug
            assert shown[0].removeprefix("Visit of patient ").startswith(patient[1])
            assert all(option.split()[0] in row["documents"] for option in row["options"][:5])  # the context's first


def test_long_documents_are_bounded_in_words(long_documents: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    pool = [visit(i, drug, words=1800 if i < 5 else 700) for i, drug in enumerate(DRUGS)]
    monkeypatch.setattr(long_documents, "visits", lambda split: tuple(pool))
    rows = long_documents.items("test", long_documents.FORMS["full"])
    assert {len(row["visits"]) for row in rows} <= {4, 5}
    assert max(len(row["documents"].split()) for row in rows) <= 5300 + 5 * 4
    short = long_documents.items("test", long_documents.FORMS["short"])
    assert {len(row["visits"]) for row in short} == {2}
    assert max(len(row["documents"].split()) for row in short) <= 1120 + 2 * 4


def test_the_short_form_keeps_the_end_of_a_visit(long_documents: ModuleType) -> None:
    one = Visit("w", "test1", "one two\nthree\nfour five", ())
    assert long_documents.shown(one, 3)[1:] == ("three\nfour five", 3)
    assert long_documents.shown(one, 1)[1:] == ("", 0)
    assert long_documents.shown(one, None)[1:] == (one.dialogue, 5)


def test_an_order_that_is_not_shown_or_names_nothing_is_not_asked(long_documents: ModuleType) -> None:
    pool = [long_documents.shown(one, None) for one in map(visit, range(9), DRUGS)]
    hidden = long_documents.Document(pool[0].visit, "[doctor] bye", 2)
    vague = Visit(
        "w", "test1", "[doctor] take it twice", (Order("medication", "twice a day"), Order("followup", "gout"))
    )
    asked = long_documents.askable([hidden, *pool[1:], long_documents.shown(vague, None)])
    assert [document.visit.id for document, _ in asked] == [f"v{i}" for i in range(1, 9)]


def test_a_drug_that_the_visit_mentions_is_no_wrong_option(long_documents: ModuleType) -> None:
    talked = Visit("w", "test1", "[doctor] stop metformin, take insulin", (Order("medication", "insulin"),))
    others = [long_documents.shown(one, None) for one in map(visit, range(9), DRUGS)]
    wrong = long_documents._wrong(long_documents.shown(talked, None), talked.orders[0], others)
    assert wrong == [f"{drug} twice a day" for drug in ("lisinopril", "meloxicam", "prozac", "lasix")]


@on_real_files
def test_long_documents_ask_for_a_letter(manager: TaskManager) -> None:
    task = manager.load("open_long_documents")["tasks"]["open_long_documents"]
    item = task.eval_docs[0]
    listed = "\n".join(f"{letter}: {option}" for letter, option in zip("ABCDEF", item["options"], strict=True))
    assert task.doc_to_text(item) == (
        f"--------------BEGIN DOCUMENTS--------------\n\n{item['documents']}\n\n"
        f"--------------END DOCUMENTS--------------\n\n{item['question']}\n{listed}\n\nThe correct answer is"
    )
    assert task.doc_to_choice(item) == list("ABCDEF")


@on_real_files
@pytest.mark.parametrize("task", ["open_long_documents", "open_long_documents_short"])
def test_no_visit_stands_in_both_splits_or_in_a_training_split(task: str, manager: TaskManager) -> None:
    splits = manager.load(task)["tasks"][task].dataset
    seen = {name: {visit for row in splits[name] for visit in row["visits"]} for name in ("validation", "test")}
    assert not seen["validation"] & seen["test"]
    trained = {visit.id for split in ("dev", "test") for visit in visits(split) if visit.origin == "train"}
    assert trained
    assert not (seen["validation"] | seen["test"]) & trained
    for row in splits["test"]:
        asked = row["id"].rsplit("-", 2)[0]
        assert (asked in row["visits"]) == (row["answer"] < 5)


@on_real_files
def test_no_other_option_of_a_real_item_is_right(manager: TaskManager) -> None:
    """Each wrong order names something that its visit never mentions; the right one is all there."""
    dialogues = {visit.id: visit.dialogue for visit in visits("test")}
    for row in manager.load("open_long_documents")["tasks"]["open_long_documents"].dataset["test"]:
        there = names(dialogues[row["id"].rsplit("-", 2)[0]])
        fitting = [option for option in row["options"][:5] if names(option) <= there]
        assert len(fitting) == 1, row["id"]
        assert row["answer"] in (row["options"].index(fitting[0]), 5), row["id"]
