"""The open stand-ins: built from small files of the same formats, and counted on the real ones where they are."""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tiny
from lm_eval import simple_evaluate
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks import TaskManager

from workbench.data.catalogue import SOURCES
from workbench.data.encounters import ACI, aci_notes
from workbench.data.formats import examples, formats_of
from workbench.data.grams import Index
from workbench.data.overlap import item_text
from workbench.data.source import RemoteFile, Source
from workbench.data.sources import missing
from workbench.errors import UserError

TASKS = Path(__file__).parents[2] / "benchmarks" / "tasks"
N = {
    "open_nli": (3, 174, 204),
    "open_problem_list": (3, 19, 115),
    "open_patient_instructions": (1, 11, 63),
    "open_coding": (1, 100, 250),
    "open_social_history": (4, 344, 364),
    "open_results_qa": (3, 21, 103),
    "open_long_documents": (0, 100, 250),
    "open_long_documents_short": (0, 100, 218),
}
"""Shots, validation items and test items on the real files."""

READ = {
    "open_nli": ("evidence-inference",),
    "open_problem_list": ("aci-bench",),
    "open_patient_instructions": ("aci-bench",),
    "open_coding": ("codiesp-en",),
    "open_social_history": ("sdoh-nli",),
    "open_results_qa": ("aci-bench", "mts-dialog"),
    "open_long_documents": ("aci-bench", "mediqa-oe", "primock57"),
    "open_long_documents_short": ("aci-bench", "mediqa-oe", "primock57"),
}
CHOICES = [task for task in N if task not in ("open_problem_list", "open_patient_instructions", "open_coding")]
Rows = list[dict[str, Any]]
Place = Callable[..., Path]


def needs(task: str) -> pytest.MarkDecorator:
    reasons = [reason for source in READ[task] if (reason := missing(source)) is not None]
    return pytest.mark.skipif(bool(reasons), reason=" ".join(reasons))


real = [pytest.param(task, marks=needs(task)) for task in N]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """`place(source, {name: rows})`: a source of these files only, each row a line of CSV or of JSON."""
    monkeypatch.setenv("WORKBENCH_MIRROR", str(tmp_path))
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path / "cache"))

    def write(source: str, files: dict[str, Rows]) -> Path:
        folder = tmp_path / source
        folder.mkdir(exist_ok=True)
        for name, rows in files.items():
            (folder / name).write_text(as_csv(rows) if name.endswith(".csv") else as_lines(rows), encoding="utf-8")
        declared = tuple(RemoteFile(name, f"https://example.org/{name}") for name in files)
        monkeypatch.setitem(SOURCES, source, Source(source, "CC BY 4.0", source, declared))
        return folder

    return write


def as_csv(rows: Rows) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0].keys())
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def as_lines(rows: Rows) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def trial(name: str, split: str, label: str) -> dict[str, str]:
    asked = {
        "outcome": "pulse",
        "intervention": "tea",
        "comparator": "water",
        "evidence": "The pulse\nrose (P = 0.01).",
    }
    return {"prompt_id": name, "pmcid": "1", "split": split, **asked, "label": label}


UP, DOWN, SAME = "significantly increased", "significantly decreased", "no significant difference"


def test_nli_takes_one_shot_of_each_label(place: Place, manager: TaskManager) -> None:
    labels = [SAME] * 20 + [UP, DOWN]
    rows = [trial(f"t{i}", "train", label) for i, label in enumerate(labels)]
    rows += [trial("v", "validation", DOWN), trial("x", "test", UP), trial("y", "test", SAME)]
    place("evidence-inference", {"evidence_inference_v2.jsonl": rows})
    task = manager.load("open_nli")["tasks"]["open_nli"]
    assert {name: len(rows) for name, rows in task.dataset.items()} == {"validation": 1, "test": 2, "fewshot": 3}
    assert sorted(task.dataset["fewshot"]["answer"]) == [0, 1, 2]
    assert {"t20", "t21"} < set(task.dataset["fewshot"]["id"])
    assert task.dataset["test"]["answer"] == [0, 2]
    asked = task.fewshot_context(task.eval_docs[0], num_fewshot=3)
    one = "EVIDENCE: The pulse rose (P = 0.01).\nINTERVENTION: tea\nCOMPARATOR: water\nOUTCOME: pulse\nANSWER:"
    given = [task.doc_to_choice(shot)[shot["answer"]] for shot in task.dataset["fewshot"]]
    assert asked.partition("\n\n")[2] == "\n\n".join([*(f"{one} {answer}" for answer in given), one])


def test_nli_refuses_an_unknown_label(place: Place) -> None:
    place("evidence-inference", {"evidence_inference_v2.jsonl": [trial("7", "test", "increased")]})
    with pytest.raises(UserError, match=r"prompt '7' has the label 'increased'\. Known: significantly increased, "):
        tiny.task_module("open_nli").splits()


def test_macro_f1_by_hand() -> None:
    # F1 is 2 * right / (gold + named). Label 0: 2 * 1 / (2 + 1), label 1: 2 * 1 / (1 + 2), label 2: 2 * 2 / (2 + 2).
    pairs = [(0, 0), (0, 1), (1, 1), (2, 2), (2, 2)]
    assert tiny.task_module("open_nli").macro_f1(pairs) == pytest.approx((2 / 3 + 2 / 3 + 1) / 3)
    assert tiny.task_module("open_nli").macro_f1([(2, 2), (2, 2)]) == pytest.approx(1 / 3)  # two labels are never met


def test_true_f1_by_hand() -> None:
    f1 = tiny.task_module("open_social_history").true_f1
    assert f1([(1, 1), (1, 0), (0, 1), (0, 1), (0, 0)]) == pytest.approx(2 * (1 / 3) * (1 / 2) / (1 / 3 + 1 / 2))
    assert f1([(0, 0), (1, 0)]) == 0.0


def social(premises: int) -> Rows:
    """Two hypotheses about every premise: the first is true of one premise in four, the second of none."""
    rows = []
    for i in range(premises):
        rows += [{"premise": f"Line\n{i}", "hypothesis": "Smokes.", "label": str(i % 4 == 0)}]
        rows += [{"premise": f"Line\n{i}", "hypothesis": "Drinks.", "label": "False"}]
    return rows


def test_social_history_is_balanced_within_a_hypothesis(place: Place, manager: TaskManager) -> None:
    files = {f"sdoh_nli_{split}.csv": social(n) for split, n in (("train", 16), ("validation", 8), ("test", 12))}
    # The same pair once more with the other label counts as true, and is not drawn as a false one.
    files["sdoh_nli_test.csv"] += [{"premise": "Line\n0", "hypothesis": "Smokes.", "label": "False"}]
    place("sdoh-nli", files)
    task = manager.load("open_social_history")["tasks"]["open_social_history"]
    test = list(task.dataset["test"])
    assert {name: len(rows) for name, rows in task.dataset.items()} == {"validation": 4, "test": 6, "fewshot": 4}
    assert {row["premise"] for row in test if row["answer"]} == {"Line 0", "Line 4", "Line 8"}
    assert [row["hypothesis"] for row in test] == ["Smokes."] * 6
    assert len({row["premise"] for row in test}) == 6
    assert list(task.dataset["fewshot"]["answer"]) == [1, 0, 1, 0]
    assert [task.doc_to_choice(row)[task.doc_to_target(row)] for row in test[:2]] == ["True", "False"]
    assert task.doc_to_text(test[0]) == f"SOCIAL HISTORY: {test[0]['premise']}\nSTATEMENT: Smokes.\nANSWER:"


@pytest.mark.parametrize(
    ("rows", "what"),
    [
        ([{"premise": "A", "hypothesis": "B", "label": "Maybe"}], "item 1: has the label 'Maybe'. Known: False, True."),
        ([{"premise": "A", "hypothesis": "B", "label": "True"}], "in train, 'B' is true 1 times, false 0 times."),
        ([{"premise": "A", "hypothesis": " ", "label": "True"}], "item 1: 'hypothesis' is empty."),
        ([{"text": "A", "hypothesis": "B", "label": "True"}], "item 1: has no 'premise'"),
    ],
)
def test_social_history_refuses_other_rows(rows: Rows, what: str, place: Place) -> None:
    place("sdoh-nli", {f"sdoh_nli_{split}.csv": rows for split in ("train", "validation", "test")})
    with pytest.raises(UserError, match=re.escape(what)):
        tiny.task_module("open_social_history").splits()


def case(name: str, split: str, codes: list[str]) -> dict[str, Any]:
    return {"id": name, "split": split, "text": f" Case {name}.\nFever. ", "icd10_dx": codes, "icd10_px": []}


def test_coding_asks_dev_and_keeps_its_shot_out_of_validation(place: Place, manager: TaskManager) -> None:
    train = [case(f"t{i}", "train", ["r50.9"]) for i in range(101)]
    place("codiesp-en", {"codiesp_en_train_dev.jsonl": [*train, case("d", "dev", ["r50.9", "j45"])]})
    task = manager.load("open_coding")["tasks"]["open_coding"]
    assert {name: len(rows) for name, rows in task.dataset.items()} == {"fewshot": 1, "validation": 100, "test": 1}
    [shot] = task.dataset["fewshot"]["id"]
    assert {*task.dataset["validation"]["id"], shot} == {f"t{i}" for i in range(101)}
    item = task.eval_docs[0]
    assert (item["text"], item["codes"], task.doc_to_target(item)) == (
        "Case d.\nFever.", ["R50.9", "J45"], "R50.9, J45",
    )  # fmt: skip
    asked = task.fewshot_context(item, num_fewshot=1)
    assert f"Case {shot}.\nFever.\n--------------END CASE REPORT--------------\nNow return the list" in asked
    assert "Do not generate anything else.\nICD-10 Codes: R50.9\n\n--------------BEGIN CASE REPORT" in asked
    assert asked.endswith("\nICD-10 Codes:")


@pytest.mark.filterwarnings("ignore:(read|open)_text is deprecated:DeprecationWarning")  # simple_icd_10_cm's import
def test_coding_is_scored_as_medisumcode_is() -> None:
    doc = {"codes": ["R50.9", "J45"]}
    scores = tiny.task_module("open_coding").process_results(doc, ["R50.9, J45.2"])
    # J45.2 is a heading of the tables; exact: 1 of 2 and 1 of 2; categories: both; both exist.
    assert scores == pytest.approx(
        {"em_f1": 0.5, "category_f1": 1.0, "valid": 1.0, "composite": 2.5 / 3, "unparsable": 0.0, "empty": 0.0}
    )
    assert tiny.task_module("open_coding").process_results(doc, ["Fever."])["unparsable"] == 1.0


@pytest.mark.parametrize(
    ("codes", "what"),
    [
        (["j45", "fever"], "case 'd' has the code 'fever', which does not look like ICD-10"),
        ([], "item 1: 'icd10_dx' is empty"),
    ],
)
def test_coding_refuses_a_case_without_codes(codes: list[str], what: str, place: Place) -> None:
    place("codiesp-en", {"codiesp_en_train_dev.jsonl": [case("d", "dev", codes)]})
    with pytest.raises(UserError, match=re.escape(what)):
        tiny.task_module("open_coding").splits()


DISEASES = ("gout", "asthma", "eczema", "anemia", "gastritis", "cataract", "cystitis", "migraine", "vertigo", "goiter")


def note(number: int, *diseases: str) -> dict[str, str]:
    text = (
        f"CC\n\nVisit {number}.\n\nEXAM\n\nFinding {number}.\n\nRESULTS\n\nValue {number}.\n\nASSESSMENT\n\n"
        + "".join(f"• {disease.capitalize()}.\n" for disease in diseases)
        + f"\nPLAN\n\nDrug {number}.\n\nINSTRUCTIONS\n\nReturn in\n{number} weeks."
    )
    return {"dataset": "aci", "encounter_id": f"D{number}", "dialogue": f"[doctor] {number}", "note": text}


@pytest.fixture
def notes(place: Place) -> Place:
    """Two notes in each file of ACI-Bench but valid, which has four; each is about a disease of its own."""
    files = {
        ACI[split]: [note(2 * i, DISEASES[2 * i]), note(2 * i + 1, DISEASES[2 * i + 1])] for i, split in enumerate(ACI)
    }
    files[ACI["valid"]] += [note(20, "psoriasis", "scabies"), note(21, "rosacea")]
    place("aci-bench", files)
    return place


def test_problem_list_asks_for_what_the_rest_of_the_note_does_not_say(notes: Place, manager: TaskManager) -> None:
    task = manager.load("open_problem_list")["tasks"]["open_problem_list"]
    splits = {name: list(rows) for name, rows in task.dataset.items()}
    assert {name: len(rows) for name, rows in splits.items()} == {"fewshot": 3, "test": 3, "validation": 4}
    assert {row["id"] for row in splits["fewshot"] + splits["test"]} == {f"D{n}" for n in range(4, 10)}
    assert splits["validation"][2]["problems"] == "Psoriasis; Scabies"
    assert splits["validation"][2]["note"] == "CC\n\nVisit 20.\n\nEXAM\n\nFinding 20.\n\nRESULTS\n\nValue 20."
    asked = task.fewshot_context(splits["test"][0], num_fewshot=3)
    assert re.findall(r"PROBLEMS: (.*)", asked) == [row["problems"] for row in splits["fewshot"]]
    assert asked.endswith("separated by semicolons. Do not generate anything else.\nPROBLEMS:")


def test_patient_instructions_keep_the_plan(notes: Place, manager: TaskManager) -> None:
    task = manager.load("open_patient_instructions")["tasks"]["open_patient_instructions"]
    splits = {name: list(rows) for name, rows in task.dataset.items()}
    assert {name: len(rows) for name, rows in splits.items()} == {"fewshot": 1, "test": 5, "validation": 4}
    item = splits["validation"][3]
    assert item["instructions"] == "Return in 21 weeks."
    assert item["note"].endswith("ASSESSMENT\n\n• Rosacea.\n\nPLAN\n\nDrug 21.")
    assert task.doc_to_text(item).endswith("\nANSWER:")


@pytest.mark.parametrize(
    ("task", "key"), [("open_problem_list", "problems"), ("open_patient_instructions", "instructions")]
)
def test_generated_lists_and_answers_have_clues_five_scores(
    task: str, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    module, asked = tiny.task_module(task), []
    monkeypatch.setattr(module, "generation_scores", lambda *args: asked.append(args) or {"composite": 1.0})
    assert module.process_results({key: "Gout"}, ["Gout."]) == {"composite": 1.0}
    assert asked == [("Gout", "Gout.", ("rougeL", "rouge1", "rouge2", "bertscore", "concept_f1"))]


def talk(number: str, header: str, text: str) -> dict[str, str]:
    return {"ID": number, "section_header": header, "section_text": text, "dialogue": f"Doctor: So, {number}."}


MTS = "MTS-Dialog-ValidationSet.csv", "MTS-Dialog-TestSet-1-MEDIQA-Chat-2023.csv"


def test_results_qa_offers_other_answers_of_the_same_kind(notes: Place, manager: TaskManager) -> None:
    few = [talk("0", "LABS", "Low sodium."), talk("1", "CC", "Cough.")]
    many = [talk(str(i), "ASSESSMENT", f"1. {disease}.") for i, disease in enumerate(DISEASES[:4])]
    notes("mts-dialog", dict(zip(MTS, (few, many), strict=True)))
    task = manager.load("open_results_qa")["tasks"]["open_results_qa"]
    rows = {row["id"]: row for name in ("fewshot", "test") for row in task.dataset[name]}
    assert rows.keys() == {*(f"D{n}" for n in range(4, 10)), *(f"mts-{n}" for n in range(4))}
    assert set(task.dataset["validation"]["id"]) == {"D2", "D3", "D20", "D21"}  # one LABS talk has no wrong options
    for name, row in rows.items():
        number = int(name.lstrip("Dmts-"))
        mine = f"1. {DISEASES[number]}." if name.startswith("mts") else DISEASES[number].capitalize()
        assert row["options"][row["answer"]] == mine
        assert len(set(row["options"])) == 4
        assert all(option.startswith("1. ") == name.startswith("mts") for option in row["options"])
    assert rows["D4"]["findings"] == "EXAM: Finding 4.\nRESULTS: Value 4."
    item = task.eval_docs[0]
    listed = "".join(f"\n{letter}. {option}" for letter, option in zip("ABCD", item["options"], strict=True))
    assert task.doc_to_text(item).endswith(
        f"{item['findings']}\nQUESTION: Which of these belongs to the findings?{listed}\nANSWER:"
    )


def test_results_qa_offers_nothing_that_names_the_same() -> None:
    module = tiny.task_module("open_results_qa")
    texts = (
        "Right knee pain; hypertension",
        "High blood pressure",
        "Knee sprains",
        "Gout",
        "Chronic asthma",
        "Vertigo",
    )
    asked = [module.Asked(str(i), "visit", "", text) for i, text in enumerate(texts)]
    assert set(module._row(asked[0], asked)["options"]) == {texts[0], "Gout", "Chronic asthma", "Vertigo"}
    assert module._row(asked[0], asked[:5]) is None


def both(task: str) -> list[str]:
    return [task, f"{task}_validation"]


@pytest.mark.parametrize("task", real)
def test_counts_of_the_real_items(task: str, manager: TaskManager) -> None:
    splits = manager.load(task)["tasks"][task].dataset
    found = tuple(len(splits[name]) if name in splits else 0 for name in ("fewshot", "validation", "test"))
    assert found == N[task]
    ids = [name for split in splits.values() for name in split["id"]]
    assert len(set(ids)) == len(ids)
    assert manager.load(f"{task}_validation")["tasks"][f"{task}_validation"].config.test_split == "validation"


MAIN_TEXT = {
    "open_nli": "evidence",
    "open_problem_list": "note",
    "open_patient_instructions": "note",
    "open_coding": "text",
    "open_social_history": "premise",
    "open_results_qa": "findings",
}


@pytest.mark.parametrize("task", [param for param in real if not str(param.values[0]).startswith("open_long")])
def test_splits_share_no_text(task: str, manager: TaskManager) -> None:
    splits = manager.load(task)["tasks"][task].dataset
    texts = {name: set(splits[name][MAIN_TEXT[task]]) for name in ("fewshot", "validation", "test")}
    assert not texts["test"] & (texts["validation"] | texts["fewshot"])
    assert not texts["validation"] & texts["fewshot"]


TRAINED = sorted({source for read in READ.values() for source in read if list(formats_of(source))})
"""The sources of these tasks that training corpora are made of, too."""

COPIED = {"open_social_history": 30}
"""Test items with any run of a training corpus: both are made of MTSamples. The task says so."""


@pytest.fixture(scope="module")
def trained() -> Index:
    """Every run of 13 words of the training corpora."""
    assert {"aci-bench", "mts-dialog"} <= set(TRAINED)
    if reasons := [reason for source in TRAINED if (reason := missing(source)) is not None]:
        pytest.skip(" ".join(reasons))
    read = [one for source in TRAINED for format in formats_of(source) for one in examples(source, format, 1)]
    return Index.of({f"{example.prompt}\n{example.completion}" for example in read})


@pytest.mark.parametrize("task", real)
def test_no_test_item_is_in_a_training_corpus(task: str, trained: Index, manager: TaskManager) -> None:
    """Stock phrases of ACI-Bench's notes make up to a quarter of an item; a copied item would have most of its runs."""
    shares = [trained.share(item_text(row)) for row in manager.load(task)["tasks"][task].dataset["test"]]
    assert sum(share > (0 if task in COPIED else 0.25) for share in shares) == COPIED.get(task, 0)
    assert trained.share(f"A copy. {aci_notes('train')[0].without(())}") > 0.9


@needs("open_problem_list")
@pytest.mark.parametrize("task", ["open_problem_list", "open_patient_instructions"])
def test_no_item_is_a_note_of_the_training_split(task: str, manager: TaskManager) -> None:
    trained = {note.id for note in aci_notes("train")}
    assert len(trained) == 67
    assert not trained & {name for split in manager.load(task)["tasks"][task].dataset.values() for name in split["id"]}


@needs("open_nli")
def test_nli_articles_are_of_one_split(manager: TaskManager) -> None:
    splits = manager.load("open_nli")["tasks"]["open_nli"].dataset
    articles = [set(splits[name]["pmcid"]) for name in ("fewshot", "validation", "test")]
    assert not articles[2] & (articles[0] | articles[1])
    assert Counter(splits["test"]["answer"]) == {0: 22, 1: 76, 2: 106}


@pytest.mark.parametrize("task", [pytest.param(task, marks=needs(task)) for task in CHOICES])
def test_no_constant_answer_pays(task: str, manager: TaskManager) -> None:
    loaded = manager.load(task)["tasks"][task]
    share = max(Counter(loaded.eval_docs["answer"]).values()) / len(loaded.eval_docs)
    most = {"open_nli": 0.52, "open_social_history": 0.5, "open_results_qa": 0.30}.get(task, 0.23)
    assert share <= most
    for item in loaded.eval_docs:
        assert 0 <= loaded.doc_to_target(item) < len(loaded.doc_to_choice(item)), item["id"]


@pytest.mark.parametrize("task", [pytest.param(task, marks=needs(task)) for task in CHOICES])
def test_real_choices_are_scored(task: str, tiny_lm: HFLM, manager: TaskManager) -> None:
    results = simple_evaluate(model=tiny_lm, tasks=both(task), task_manager=manager, limit=2, bootstrap_iters=10)
    assert results is not None
    for name in both(task):
        assert 0.0 <= results["results"][name]["acc,none"] <= 1.0
        assert results["n-shot"][name] == N[task][0]
        if task in ("open_nli", "open_social_history"):
            assert 0.0 <= results["results"][name]["f1,none"] <= 1.0
