"""The credentialed tasks on small files of their form, all fictional: split, prompts, scores, and what is refused."""

from __future__ import annotations

import json
import math
import random
import zipfile
from pathlib import Path
from typing import Any

import pytest
from lm_eval import simple_evaluate
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks import TaskManager
from own_files import FILES, IDS, MEDISUMQA, PLS, PUBLISHED, SHAC, SHAC_ANN, SHAC_GOLD, SHOTS, N, Rows, as_lines

from workbench.data.catalogue import SOURCES
from workbench.data.credentialed import CREDENTIALED
from workbench.errors import DataMissing, UserError

TASKS = Path(__file__).parents[2] / "benchmarks" / "tasks"


@pytest.fixture(scope="module")
def small() -> TaskManager:
    """Our tasks, told that a few items are all there are: what a user does with `metadata` for a set of his own."""
    return TaskManager(include_path=str(TASKS), include_defaults=False, metadata={"at_least": 2})


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("WORKBENCH_MIRROR", raising=False)
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path))
    for source in CREDENTIALED:
        monkeypatch.setitem(SOURCES, source.name, source)
    return tmp_path


def put(cache: Path, task: str, rows: Rows | None = None) -> Path:
    """Write the items of a task, its own or others, where its file belongs."""
    source, file, own, form = FILES[task]
    path = cache / source / file
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(form(own if rows is None else rows))
    return path


def load(manager: TaskManager, task: str) -> Any:
    return manager.load(task)["tasks"][task]


def clue_order(names: list[str]) -> list[str]:
    """The lines of CLUE's eval/*.py."""
    state, data = random.getstate(), list(names)
    random.seed(1)
    random.shuffle(data)
    random.setstate(state)
    return data


@pytest.mark.parametrize("task", FILES)
def test_shots_and_test_items_are_clues(task: str, cache: Path, small: TaskManager) -> None:
    put(cache, task)
    built = load(small, task)
    assert built.config.num_fewshot == SHOTS[task]
    order = clue_order(IDS[task])
    assert list(built.dataset["fewshot"]["id"]) == order[: SHOTS[task]]
    assert list(built.eval_docs["id"]) == order[SHOTS[task] :]


PROMPTS = {
    "mednli": (
        "SENTENCE_1: He has had gout 4 times.\nSENTENCE_2: Joint pain is not new to him, number 4.\nANSWER:",
        "neutral",
    ),
    "pls": (
        "--------------BEGIN DISCHARGE LETTER--------------\nCoughs since day 4.\nNo fever.\n\n"
        'A 54-year-old man, "breathless".\n--------------END DISCHARGE LETTER--------------\n'
        "Now respond with the list of diagnoses and patient problems. Do not generate anything else.\nPROBLEMS:",
        "Pneumonia, heart failure, stage 4",
    ),
    "medisumqa": (
        "--------------BEGIN DISCHARGE LETTER--------------\nLetter 4: the fever went with antibiotics.\n"
        "--------------END DISCHARGE LETTER--------------\nWhat helped against the fever, part 4?\nANSWER:",
        "Antibiotics number 4.",
    ),
    "medisumcode": (
        "--------------BEGIN DISCHARGE LETTER--------------\nType 2 diabetes, visit 4.\n"
        "--------------END DISCHARGE LETTER--------------\nNow return the list of diagnoses ICD-10 codes you found. "
        "Only list the ICD-10 codes. Do not generate anything else.\nICD-10 Codes:",
        "E119, I14",
    ),
    "rrs_qa": (
        "FINDINGS: Line 4 ends in the vena cava. No effusion.\nQUESTION: Is there an effusion?\nANSWER:",
        "No.",
    ),
    "sdoh": (
        "--------------SOCIAL HISTORY--------------\nRetired welder 4, lives with wife. Tobacco: quit\n"
        "--------------END SOCIAL HISTORY--------------\nJSON:",
        json.dumps(SHAC_GOLD),
    ),
}
"""Of item 4 of each task: what the user says, and the answer."""


@pytest.mark.parametrize("task", FILES)
def test_the_prompt_holds_the_shots_with_their_answers_and_then_the_question(
    task: str, cache: Path, small: TaskManager
) -> None:
    put(cache, task)
    built = load(small, task)
    asked = {doc["id"]: doc for split in ("fewshot", "test") for doc in built.dataset[split]}
    user, answer = PROMPTS[task]
    item = asked[IDS[task][4]]
    assert (built.doc_to_text(item), built.doc_to_target(item)) == (user, answer)
    shots = [f"{built.doc_to_text(doc)} {built.doc_to_target(doc)}\n\n" for doc in built.dataset["fewshot"]]
    last = built.eval_docs[0]
    system = built.config.description
    assert system.endswith("\n\n")
    assert built.fewshot_context(last, num_fewshot=SHOTS[task]) == (
        system.rstrip() + "\n\n" + "".join(shots) + built.doc_to_text(last)
    )


@pytest.mark.parametrize("task", FILES)
def test_no_stop_cuts_a_gold_answer(task: str, cache: Path, small: TaskManager) -> None:
    put(cache, task)
    built = load(small, task)
    until = built.config.generation_kwargs["until"]
    assert {"<|end|>", "<|user|>", "<|im_end|>"} <= set(until)
    assert not any(stop in PROMPTS[task][1] for stop in until)
    another = f"\n\n{PROMPTS[task][0]}"  # how a model goes on that answers more than it was asked
    assert any(stop.strip() and another.find(stop) in (1, 2) for stop in until)


def scores(built: Any, item: dict[str, Any], generation: str) -> dict[str, float]:
    found: dict[str, float] = built.process_results(item, [generation])
    assert set(found) == {metric["metric"] for metric in built.config.metric_list}
    return found


@pytest.mark.parametrize(
    ("generation", "acc", "parsed", "unparsable"),
    [
        ("NEUTRAL", 1, 1, 0),
        (" The answer is neutral.", 1, 1, 0),
        ("ENTAILMENT", 0, 0, 0),
        ("NEUTRAL or ENTAILMENT", 1, 0, 1),
        ("neutral, NEUTRAL", 0, 0, 1),
        ("I cannot tell", 0, 0, 1),
        ("", 0, 0, 1),
    ],
)
def test_mednli_is_scored_by_clues_rule_and_by_a_stricter_one(
    generation: str, acc: float, parsed: float, unparsable: float, cache: Path, small: TaskManager
) -> None:
    put(cache, "mednli")
    assert scores(load(small, "mednli"), {"gold_label": "neutral"}, generation) == {
        "acc": acc,
        "acc_parsed": parsed,
        "unparsable": unparsable,
        "empty": float(not generation),
    }


def test_medisumcode_by_hand(cache: Path, small: TaskManager) -> None:
    put(cache, "medisumcode")
    built = load(small, "medisumcode")
    # Gold E11.9, I10; predicted E11.9, I11.0: exact 1 of 2 and 1 of 2, categories the same, both exist.
    assert scores(built, {"codes": ["E119", "I10"]}, "ICD-10 Codes: E119, I11.0") == pytest.approx(
        {"em_f1": 0.5, "category_f1": 0.5, "valid": 1, "composite": 2 / 3, "unparsable": 0, "empty": 0}
    )


def test_sdoh_by_hand(cache: Path, small: TaskManager) -> None:
    put(cache, "sdoh")
    built = load(small, "sdoh")
    item = built.eval_docs[0]
    assert item["entities"] == SHAC_GOLD
    assert scores(built, item, built.doc_to_target(item)) == {"entity_f1": 1, "unparsable": 0, "empty": 0}
    said = [
        {"entity": "Retired welder", "label": "Employment.Type", "value": "welder"},  # overlaps
        {"entity": "lives with wife", "label": "LivingStatus.TypeLiving", "value": "alone"},  # values are not compared
        {"entity": "quit", "label": "Alcohol.StatusTime", "value": "past"},  # another determinant
    ]
    assert scores(built, item, json.dumps(said))["entity_f1"] == pytest.approx(2 * 2 / (5 + 3))
    assert scores(built, item, "") == {"entity_f1": 0, "unparsable": 1, "empty": 1}


@pytest.mark.parametrize("task", ["pls", "medisumqa", "rrs_qa"])
def test_texts_score_between_silence_and_the_reference(task: str, cache: Path, small: TaskManager) -> None:
    put(cache, task)
    built = load(small, task)
    item = built.eval_docs[0]
    first = built.config.metric_list[0]["metric"]
    assert first == ("rouge1" if task == "rrs_qa" else "composite")
    right, silent = (scores(built, item, text) for text in (built.doc_to_target(item), ""))
    assert silent == {metric: float(metric == "empty") for metric in silent}
    assert right["rouge1"] == 1
    assert right["empty"] == 0
    if task != "rrs_qa":
        five = ("rougeL", "rouge1", "rouge2", "bertscore", "concept_f1")
        assert right["composite"] == pytest.approx(sum(right[metric] for metric in five) / 5)


def test_all_are_scored_by_plain_lm_eval(cache: Path, tiny_lm: HFLM, small: TaskManager) -> None:
    for task in FILES:
        put(cache, task)
    found = simple_evaluate(
        model=tiny_lm, tasks=list(FILES), task_manager=small, limit=2, bootstrap_iters=10, gen_kwargs="max_gen_toks=8"
    )
    assert found is not None
    assert found["n-shot"] == SHOTS
    for task in FILES:
        assert found["n-samples"][task]["original"] == N - SHOTS[task]
        for metric in load(small, task).config.metric_list:
            assert math.isfinite(found["results"][task][f"{metric['metric']},none"]), (task, metric)


@pytest.mark.parametrize("task", FILES)
def test_an_absent_file_is_refused_with_the_way_to_get_it(task: str, cache: Path, small: TaskManager) -> None:
    source, file, _, _ = FILES[task]
    with pytest.raises(DataMissing) as caught:
        load(small, task)
    assert str(caught.value) == (
        f"{source}/{file} is not on this machine. {SOURCES[source].obtain} Put it at {cache / source / file}."
    )


@pytest.mark.parametrize("task", FILES)
def test_a_part_of_the_published_set_is_refused(task: str, cache: Path, manager: TaskManager) -> None:
    kept = FILES[task][2][:3]
    path = put(cache, task, kept)
    least = PUBLISHED[task]
    with pytest.raises(UserError) as caught:
        load(manager, task)
    assert str(caught.value).startswith(f"{path}: 3 items, but at least {least} are expected: a part of the file")


@pytest.mark.parametrize("metadata", ["{version: 1.0, at_least: 6}", "{version: 1.0}"])
def test_a_set_of_ones_own_is_scored_by_a_task_of_ones_own(metadata: str, cache: Path) -> None:
    put(cache, "mednli")
    mine = cache / "tasks" / "mine.yaml"
    mine.parent.mkdir()
    mine.write_text(f"include: {TASKS}/mednli/mednli.yaml\ntask: mine\nmetadata: {metadata}\n")
    built = load(TaskManager(include_path=str(mine.parent), include_defaults=False), "mine")
    assert len(built.eval_docs) == N - SHOTS["mednli"]


def changed(task: str, at: int, **fields: Any) -> Rows:
    """The items of a task with other fields in one of them; None takes a field out."""
    rows = [dict(row) for row in FILES[task][2]]
    rows[at] = {key: field for key, field in (rows[at] | fields).items() if field is not None}
    return rows


def without(task: str, column: str) -> Rows:
    return [{key: field for key, field in row.items() if key != column} for row in FILES[task][2]]


AS_PUBLISHED = "Use the file as it was published or built."
FILL = "is empty. Fill it in, or take the item out."
ANN = "test/mimic/0001.ann"
REFUSED: list[tuple[str, Rows, str]] = [
    (
        "mednli",
        without("mednli", "gold_label"),
        f"item 1: has no 'gold_label', only 'pairID', 'sentence1', 'sentence2'. {AS_PUBLISHED}",
    ),
    ("mednli", changed("mednli", 1, sentence2=" "), f"item 2: 'sentence2' {FILL}"),
    ("mednli", changed("mednli", 4, gold_label="-"), f"item 5: 'gold_label' {FILL}"),
    (
        "mednli",
        changed("mednli", 4, gold_label="maybe"),
        "item 5: gold_label 'maybe' is none of entailment, neutral, contradiction. Use the file as published.",
    ),
    (
        "pls",
        [{("Subjective Sections" if key == "Subjectives" else key): row[key] for key in row} for row in PLS],
        "item 1: has no 'Subjectives', only 'File ID', 'Subjective Sections', 'Assessment', 'Objectives', 'Summary'. "
        + AS_PUBLISHED,
    ),
    ("pls", changed("pls", 0, Summary=";"), f"item 1: 'Summary' {FILL}"),
    (
        "medisumqa",
        without("medisumqa", "discharge_summary"),
        f"item 1: has no 'discharge_summary', only 'note_id', 'Question', 'Answer'. {AS_PUBLISHED}",
    ),
    ("medisumqa", changed("medisumqa", 5, Answer=""), f"item 6: 'Answer' {FILL}"),
    (
        "medisumcode",
        without("medisumcode", "icd_codes"),
        f"item 1: has no 'icd_codes', only 'hadm_id', 'text'. {AS_PUBLISHED}",
    ),
    (
        "medisumcode",
        changed("medisumcode", 2, icd_codes=[]),
        "item 3: 'icd_codes' is empty, so that nothing can be scored. Take the item out.",
    ),
    (
        "medisumcode",
        changed("medisumcode", 2, icd_codes=["E119"]),
        "item 3: 'icd_codes' is no list of objects with a 'code'. Build the file with CLUE's script.",
    ),
    (
        "medisumcode",
        changed("medisumcode", 2, icd_codes=[{"code": "E119"}, {"code": "4019"}]),
        "item 3: '4019' is no ICD-10-CM code. Build the file with CLUE's script.",
    ),
    (
        "rrs_qa",
        changed("rrs_qa", 3, findings=None),
        f"item 4: has no 'findings', only 'study_id', 'question', 'answer'. {AS_PUBLISHED}",
    ),
    ("rrs_qa", changed("rrs_qa", 3, answer="."), f"item 4: 'answer' {FILL}"),
    (
        "sdoh",
        changed("sdoh", 1, ann=SHAC_ANN.replace("Tobacco:T7", "Insurance:T7")),
        f"{ANN}: 'Insurance.StatusTime' is no category of the SDoH task. Use the files as published.",
    ),
    (
        "sdoh",
        changed("sdoh", 1, ann=SHAC_ANN.replace("T8 past", "T8 future")),
        f"{ANN}: Tobacco.StatusTime has future, not one of none, current, past. Use the files as published.",
    ),
    (
        "sdoh",
        changed("sdoh", 1, ann=SHAC_ANN.replace("A4\tStatusTimeVal T8 past\n", "")),
        f"{ANN}: Tobacco.StatusTime has no value, not one of none, current, past. Use the files as published.",
    ),
]


@pytest.mark.parametrize(("task", "rows", "sentence"), REFUSED)
def test_bad_items_are_refused_in_one_sentence(
    task: str, rows: Rows, sentence: str, cache: Path, small: TaskManager
) -> None:
    path = put(cache, task, rows)
    with pytest.raises(UserError) as caught:
        load(small, task)
    assert str(caught.value) in (f"{path}, {sentence}", f"{path}: {sentence}")


def test_no_json_and_an_annotation_without_its_text_are_refused(cache: Path, small: TaskManager) -> None:
    path = put(cache, "mednli")
    path.write_text(path.read_text()[:-20])
    with pytest.raises(UserError, match=rf"mli_test_v1\.jsonl, line {N}, column \d+: no JSON \("):
        load(small, "mednli")
    path = put(cache, "sdoh")
    with zipfile.ZipFile(path, "a") as file:
        file.writestr("test/mimic/9999.ann", "")
    with pytest.raises(UserError, match=r"test/mimic/9999\.ann has no test/mimic/9999\.txt beside it\."):
        load(small, "sdoh")


def test_medisumqa_takes_the_letter_of_clues_builder_but_never_the_one_with_the_answers(
    cache: Path, small: TaskManager
) -> None:
    built = [
        {key: row[key] for key in ("note_id", "Question", "Answer")}
        | {"with_discharge_summary": "WITH", "without_discharge_summary": row["discharge_summary"]}
        for row in MEDISUMQA
    ]
    path = put(cache, "medisumqa", built)
    path.write_bytes(as_lines(built))  # as data/MeDiSumQA/post_process_qas.py writes it
    assert load(small, "medisumqa").doc_to_text(load(small, "medisumqa").eval_docs[0]).count("WITH") == 0
    for row in built:
        del row["without_discharge_summary"]
    put(cache, "medisumqa", built)
    with pytest.raises(UserError, match="item 1: has no 'discharge_summary', only "):
        load(small, "medisumqa")


def test_a_history_without_entities_stays_an_item(cache: Path, small: TaskManager) -> None:
    put(cache, "sdoh", [row | {"ann": ""} for row in SHAC])
    built = load(small, "sdoh")
    assert len(built.eval_docs) == N - SHOTS["sdoh"]
    item = built.eval_docs[0]
    assert built.doc_to_target(item) == "[]"
    assert scores(built, item, "[]")["entity_f1"] == 1


def test_the_sdoh_prompt_names_the_whole_taxonomy(cache: Path, small: TaskManager) -> None:
    put(cache, "sdoh")
    built = load(small, "sdoh")
    taxonomy = built.config.process_results.__globals__["TAXONOMY"]
    lines = built.config.description.partition("Rules:")[0].split("\n")
    for determinant, told in taxonomy.items():
        for category, values in told.items():
            if values is None:
                named = [line for line in lines if determinant in line and f".{category}" in line]
                assert named, (determinant, category)
            else:
                assert any(
                    f"{determinant}.{category}" in line and line.endswith(": " + ", ".join(values)) for line in lines
                ), (determinant, category)


def test_sources_have_no_address_and_say_what_to_get() -> None:
    assert {source.name for source in CREDENTIALED} == {source for source, _, _, _ in FILES.values()}
    for source in CREDENTIALED:
        [file] = source.files
        assert (file.url, file.sha256) == (None, None)
        assert source.obtain is not None
        assert file.name in source.obtain
        assert "https://" in source.obtain
        assert source.obtain.endswith(".")
