"""MedQA, MedMCQA, MMLU's medical subjects and MedQuAD, from tiny files in the layout of the real ones."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from lm_eval import simple_evaluate
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks import TaskManager

from workbench.data.catalogue import SOURCES
from workbench.data.converted import CONVERTED
from workbench.data.source import RemoteFile, Source
from workbench.data.sources import missing
from workbench.errors import DataMissing, UserError
from workbench.scoring.metrics import METRICS

SUBJECTS = {
    "anatomy": "anatomy",
    "clinical_knowledge": "clinical knowledge",
    "college_biology": "college biology",
    "college_medicine": "college medicine",
    "medical_genetics": "medical genetics",
    "professional_medicine": "professional medicine",
}
MMLU = [f"mmlu_medical_{subject}" for subject in SUBJECTS]

MEDQA = [
    {
        "question": "A boy has hiccups.\nWhat helps?",
        "options": {"A": "Ice", "B": "A spoon of sugar", "C": "Sleep", "D": "Tea, hot"},
        "answer_idx": "B",
        "answer": "A spoon of sugar",
        "meta_info": "step1",
    },
    {
        "question": "Where is the\u2028knee?",
        "options": {"D": "Toe", "A": "Leg", "B": "Arm", "C": "Ear"},
        "answer_idx": "D",
        "answer": "Toe",
        "meta_info": "step2&3",
    },
]
MEDMCQA = [
    {
        "question": "Sweet is:",
        "exp": None,
        "cop": 4,
        "opa": "salt",
        "opb": "lime",
        "opc": "salt",
        "opd": "honey",
        "subject_name": "Taste",
        "topic_name": None,
        "id": "45-ab",
        "choice_type": "single",
    }
]
MMLU_CSV = '" The ""ulna"" is in the ",leg,"arm, lower",ear,eye,B\r\nBones are,hard,soft,wet,gone,A'
PAIRS = [
    {
        "source": "1_A_QA",
        "doc": None if n == 3 else f"{n:07}",
        "url": "http://a.b/c",
        "focus": "",
        "qtype": "treatment",
        "question": f"How to treat number  {n} ?",
        "answer": f"Drink\n\n cold water {n}.",
    }
    for n in range(7)
]

Lay = Callable[[str, str, str], Path]


@pytest.fixture
def lay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lay:
    """Puts a file into a mirror and declares it with its own sha256, beside those already declared."""
    monkeypatch.setenv("WORKBENCH_MIRROR", str(tmp_path / "mirror"))
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path / "cache"))
    declared: dict[str, tuple[RemoteFile, ...]] = {}

    def laid(source: str, name: str, text: str) -> Path:
        path = tmp_path / "mirror" / source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
        file = RemoteFile(name, f"https://example.org/{name}", hashlib.sha256(text.encode()).hexdigest())
        others = tuple(f for f in declared.get(source, ()) if f.name != name)
        declared[source] = (*others, file)
        monkeypatch.setitem(SOURCES, source, Source(source, "MIT", source, declared[source]))
        return path

    return laid


def json_lines(rows: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


@pytest.fixture
def laid(lay: Lay) -> None:
    lay("mirage", "medqa_us_4opt_test.jsonl", json_lines(MEDQA))
    lay("mirage", "medmcqa_dev.json", json_lines(MEDMCQA))
    for subject in SUBJECTS:
        lay("mirage", f"mmlu_{subject}_test.csv", MMLU_CSV)
    lay("medquad", "medquad.jsonl", json_lines(PAIRS))


@pytest.mark.usefixtures("laid")
def test_medqa_asks_as_the_task_of_lm_eval_does(manager: TaskManager) -> None:
    from lm_eval.tasks.medqa.preprocess_medqa import doc_to_text

    task = manager.load("medqa")["tasks"]["medqa"]
    assert [(row["id"], row["answer"]) for row in task.eval_docs] == [("medqa-1", 1), ("medqa-2", 3)]
    for row, item in zip(task.eval_docs, MEDQA, strict=True):
        endings = {f"ending{i}": item["options"][letter] for i, letter in enumerate("ABCD")}
        assert task.fewshot_context(row, num_fewshot=0) == doc_to_text({"sent1": item["question"], **endings})
        assert task.doc_to_choice(row) == ["A", "B", "C", "D"]


@pytest.mark.usefixtures("laid")
def test_medqa_cloze_offers_the_texts_and_lists_none(manager: TaskManager) -> None:
    task = manager.load("medqa_cloze")["tasks"]["medqa_cloze"]
    first = task.eval_docs[0]
    assert task.fewshot_context(first, num_fewshot=0) == "Question: A boy has hiccups.\nWhat helps?"
    choices = ["Answer: Ice", "Answer: A spoon of sugar", "Answer: Sleep", "Answer: Tea, hot"]
    assert task.doc_to_choice(first) == choices
    assert task.doc_to_target(first) == 1
    assert task.config.target_delimiter == "\n"


@pytest.mark.usefixtures("laid")
def test_medmcqa_asks_as_the_task_of_lm_eval_does(manager: TaskManager) -> None:
    from lm_eval.tasks.medmcqa.utils_medmcqa import doc_to_text

    task = manager.load("medmcqa")["tasks"]["medmcqa"]
    [row] = task.eval_docs
    assert task.fewshot_context(row, num_fewshot=0) == doc_to_text(MEDMCQA[0])
    assert (row["id"], task.doc_to_target(row), row["options"][3]) == ("45-ab", 3, "honey")


@pytest.mark.usefixtures("laid")
def test_mmlu_asks_as_the_tasks_of_lm_eval_do(manager: TaskManager) -> None:
    tasks = manager.load("mmlu_medical")["tasks"]
    assert list(tasks) == MMLU
    for subject, words in SUBJECTS.items():
        task = tasks[f"mmlu_medical_{subject}"]
        assert task.fewshot_context(task.eval_docs[0], num_fewshot=0) == (
            f"The following are multiple choice questions (with answers) about {words}.\n\n"
            'The "ulna" is in the\nA. leg\nB. arm, lower\nC. ear\nD. eye\nAnswer:'
        )
        assert [row["answer"] for row in task.eval_docs] == [1, 0]
        assert [row["id"] for row in task.eval_docs] == [f"{subject}-1", f"{subject}-2"]


@pytest.mark.usefixtures("laid")
def test_all_exams_score_and_mmlu_counts_every_question_the_same(tiny_lm: HFLM, manager: TaskManager, lay: Lay) -> None:
    lay("mirage", "mmlu_anatomy_test.csv", "Bones are,hard,soft,wet,gone,A\r\n" * 5)
    names = ["medqa", "medqa_cloze", "medmcqa", "mmlu_medical"]
    found = simple_evaluate(model=tiny_lm, tasks=names, task_manager=manager, bootstrap_iters=10)
    assert found is not None
    results = found["results"]
    right = sum(results[name]["acc,none"] * (5 if name.endswith("anatomy") else 2) for name in MMLU)
    assert results["mmlu_medical"]["acc,none"] == pytest.approx(right / 15)
    for name in ("medqa", "medmcqa", *MMLU):
        assert 0.0 <= results[name]["acc,none"] <= 1.0
        assert found["n-shot"][name] == 0
    assert {"acc,none", "acc_norm,none", "acc_mutual_info,none"} <= results["medqa_cloze"].keys()


@pytest.mark.usefixtures("laid")
def test_medquad_is_drawn_by_seed_13_and_asked_as_medswin_does(manager: TaskManager) -> None:
    task = manager.load("medquad")["tasks"]["medquad"]
    order = list(range(7))
    random.Random(13).shuffle(order)
    assert [row["id"] for row in task.eval_docs] == [f"medquad-{n + 1}" for n in order]
    row, n = task.eval_docs[0], order[0]
    assert task.fewshot_context(row, num_fewshot=0) == (
        "You are a careful clinical assistant. Answer the patient question using general, authoritative medical "
        "knowledge. Be concise (<=150 words), avoid speculation. If unsure, say: I don't know."
        f"\n\nQuestion: How to treat number {n} ?\n\nAnswer:"
    )
    assert task.doc_to_target(row) == f"Drink cold water {n}."
    assert task.config.generation_kwargs["max_gen_toks"] == 256
    assert not task.config.generation_kwargs["do_sample"]


def test_medquad_asks_no_more_than_5000(manager: TaskManager, lay: Lay) -> None:
    lay("medquad", "medquad.jsonl", json_lines([{**PAIRS[0], "question": f"Which {n}?"} for n in range(5_003)]))
    rows = manager.load("medquad")["tasks"]["medquad"].eval_docs
    order = list(range(5_003))
    random.Random(13).shuffle(order)
    assert rows["question"][:3] + rows["question"][-1:] == [f"Which {order[i]}?" for i in (0, 1, 2, 4_999)]
    assert len(rows) == 5_000


@pytest.mark.usefixtures("laid")
def test_medquad_scores_by_hand(manager: TaskManager, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(METRICS, "bertscore", lambda reference, generation: 0.25)  # its own tests are elsewhere
    task = manager.load("medquad")["tasks"]["medquad"]
    doc = {"answer": "Drink cold water daily and rest."}
    # ROUGE takes "drinks" for "drink" and drops the full stop: "drink water rest" is 3 of 4 and 3 of 6 words. The
    # others take words as they stand: "water" alone is shared, 1 of 4 and 1 of 6, and no pair of neighbours.
    assert task.process_results(doc, ["Drinks of water rest"]) == pytest.approx(
        {
            "rougeL_stemmed": 2 * (3 / 4) * (3 / 6) / (3 / 4 + 3 / 6),
            "bertscore": 0.25,
            "token_f1": 2 * 1 / (4 + 6),
            "unigram_precision": 1 / 4,
            "bigram_precision": 0.0,
            "empty": 0.0,
        }
    )
    assert task.process_results(doc, [" \n"]) == pytest.approx(
        {
            "rougeL_stemmed": 0.0,
            "bertscore": 0.25,
            "token_f1": 0.0,
            "unigram_precision": 0.0,
            "bigram_precision": 0.0,
            "empty": 1.0,
        }
    )
    listed = [metric["metric"] for metric in task.config.metric_list]
    assert listed == list(task.process_results(doc, ["Rest"]))


def changed(row: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {key: value for key, value in {**row, **fields}.items() if value is not ...}


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        (changed(MEDQA[0], answer_idx="E"), "its answer 'E' is none of A, B, C, D."),
        (changed(MEDQA[0], answer_idx=1), "its answer '1' is none of A, B, C, D."),
        (changed(MEDQA[0], question=" \n"), "its question is empty or no text."),
        (changed(MEDQA[0], options={"A": "Ice", "B": "Tea", "C": " ", "D": "x"}), "its option C is empty or no text."),
        (changed(MEDQA[0], options={"A": "Ice", "B": "Tea", "C": "x"}), "its options are not the four of A, B, C, D."),
        (changed(MEDQA[0], options=["Ice", "Tea", "x", "y"]), "its options are not the four of A, B, C, D."),
        (changed(MEDQA[0], answer_idx=...), "has no 'answer_idx', only 'question', 'options', 'answer', 'meta_info'."),
    ],
)
def test_a_faulty_item_of_medqa_is_named(row: dict[str, Any], sentence: str, manager: TaskManager, lay: Lay) -> None:
    path = lay("mirage", "medqa_us_4opt_test.jsonl", json_lines([MEDQA[1], row]))
    with pytest.raises(UserError) as caught:
        manager.load("medqa")
    assert str(caught.value).startswith(f"{path}, item 2: {sentence}")


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        (changed(MEDMCQA[0], cop=0), "its answer '0' is none of 1, 2, 3, 4."),
        (changed(MEDMCQA[0], cop="2"), "its answer '2' is none of 1, 2, 3, 4."),
        (changed(MEDMCQA[0], question=""), "its question is empty or no text."),
        (changed(MEDMCQA[0], opc=""), "its option 3 is empty or no text."),
        (changed(MEDMCQA[0], opb=7), "its option 2 is empty or no text."),
        (changed(MEDMCQA[0], opd=...), "has no 'opd', only 'question', "),
    ],
)
def test_a_faulty_item_of_medmcqa_is_named(row: dict[str, Any], sentence: str, manager: TaskManager, lay: Lay) -> None:
    path = lay("mirage", "medmcqa_dev.json", json_lines([MEDMCQA[0], row]))
    with pytest.raises(UserError) as caught:
        manager.load("medmcqa")
    assert str(caught.value).startswith(f"{path}, item 2: {sentence}")


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("Bones are,hard,soft,wet,gone,E", "its answer 'E' is none of A, B, C, D."),
        ("Bones are,hard,soft,wet,gone,", "its answer '' is none of A, B, C, D."),
        (" ,hard,soft,wet,gone,A", "its question is empty or no text."),
        ("Bones are,hard,,wet,gone,A", "its option B is empty or no text."),
        ("Bones are,hard,soft,wet,A", "has 5 columns, not question, four options and letter."),
    ],
)
def test_a_faulty_item_of_mmlu_is_named(line: str, sentence: str, manager: TaskManager, lay: Lay) -> None:
    path = lay("mirage", "mmlu_anatomy_test.csv", f"{MMLU_CSV}\r\n{line}\r\n")
    with pytest.raises(UserError) as caught:
        manager.load("mmlu_medical_anatomy")
    assert str(caught.value).startswith(f"{path}, item 3: {sentence}")


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        (changed(PAIRS[0], answer=" - "), "'answer' is empty."),
        (changed(PAIRS[0], question=""), "'question' is empty."),
        (changed(PAIRS[0], answer=...), "has no 'answer', only 'source', "),
    ],
)
def test_a_faulty_pair_of_medquad_is_named(row: dict[str, Any], sentence: str, manager: TaskManager, lay: Lay) -> None:
    path = lay("medquad", "medquad.jsonl", json_lines([PAIRS[0], row]))
    with pytest.raises(UserError) as caught:
        manager.load("medquad")
    assert str(caught.value).startswith(f"{path}, item 2: {sentence}")


@pytest.mark.parametrize("task", ["medqa", "medqa_cloze", "medmcqa", "mmlu_medical", "medquad"])
def test_absent_data_is_refused_with_the_command_that_gets_it(
    task: str, manager: TaskManager, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WORKBENCH_MIRROR", raising=False)
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path))
    for source in CONVERTED:
        monkeypatch.setitem(SOURCES, source.name, source)
    with pytest.raises(DataMissing, match=f"workbench fetch {'medquad' if task == 'medquad' else 'mirage'}"):
        manager.load(task)


@pytest.fixture
def real(monkeypatch: pytest.MonkeyPatch) -> None:
    for source in CONVERTED:
        monkeypatch.setitem(SOURCES, source.name, source)
    if said := missing("mirage") or missing("medquad"):
        pytest.skip(said)


@pytest.mark.usefixtures("real")
def test_the_real_sets_are_whole(manager: TaskManager) -> None:
    tasks = manager.load(["medqa", "medmcqa", "mmlu_medical", "medquad"])["tasks"]
    counts = {name: len(task.eval_docs) for name, task in tasks.items()}
    subjects = dict(zip(MMLU, (135, 265, 144, 173, 100, 272), strict=True))
    assert counts == {"medqa": 1_273, "medmcqa": 4_183, **subjects, "medquad": 5_000}
    for name, task in tasks.items():
        ids = list(task.eval_docs["id"])
        assert len(set(ids)) == len(ids), name
