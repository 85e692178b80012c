"""The task folders as lm-eval sees them: all listed, loadable from anywhere, scored by a tiny random model."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from lm_eval import simple_evaluate
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks import TaskManager

from workbench.data.sources import missing
from workbench.errors import DataMissing

pytestmark = pytest.mark.filterwarnings(
    "ignore:(read|open)_text is deprecated:DeprecationWarning"
)  # simple_icd_10_cm's import

TASKS = Path(__file__).parents[2] / "benchmarks" / "tasks"

MINI = [
    "mini_nli", "mini_question_summary", "mini_medication_qa", "mini_error_detection", "mini_notes_perplexity",
    "mini_problem_list", "mini_discharge_qa", "mini_coding", "mini_long_documents", "mini_visit_note",
    "mini_radiology_qa", "mini_social_history",
]  # fmt: skip
ICD10CM = [f"icd10cm_{form}{level}" for form in ("", "letters_") for level in ("easy", "medium", "hard")]
FETCHED = {"pubmedqa": "pubmedqa", "clinical_notes_perplexity": "aci-bench"}
N = {"pubmedqa": (100, 500), "clinical_notes_perplexity": (20, 40)}


def both(names: list[str]) -> list[str]:
    """Test and validation form of each task."""
    return [name + role for name in names for role in ("", "_validation")]


def needs(source: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(missing(source) is not None, reason=str(missing(source)))


fetched = [pytest.param(task, marks=needs(source)) for task, source in FETCHED.items()]


def evaluate(names: list[str], lm: HFLM, manager: TaskManager) -> dict[str, Any]:
    found = simple_evaluate(model=lm, tasks=names, task_manager=manager, limit=2, bootstrap_iters=10)
    assert found is not None
    return dict(found)


def assert_finite(results: dict[str, Any], manager: TaskManager) -> None:
    """Every declared metric has a finite value, and the means a finite standard error."""
    for name, scores in results["results"].items():
        for metric in manager.load(name)["tasks"][name].config.metric_list:
            assert math.isfinite(scores[f"{metric['metric']},none"]), (name, metric)
            if metric["aggregation"] == "mean":
                assert math.isfinite(scores[f"{metric['metric']}_stderr,none"]), (name, metric)


def test_every_yaml_is_a_task_of_its_name_and_the_shared_files_are_none(manager: TaskManager) -> None:
    declared = [path for path in TASKS.glob("**/*.yaml") if not path.name.startswith("_")]
    assert sorted(path.stem for path in declared) == manager.all_tasks
    assert set(both([*MINI, *ICD10CM, *FETCHED])) <= set(manager.all_tasks)


def test_whatever_generates_is_greedy_and_ends(manager: TaskManager) -> None:
    for name in manager.all_tasks:
        config = manager.task_index[name].cfg
        if config.get("output_type") == "generate_until":
            assert config["generation_kwargs"]["do_sample"] is False, name
            assert 0 < config["generation_kwargs"]["max_gen_toks"] <= 1600, name
            assert config["generation_kwargs"]["until"], name


def test_mini_and_icd10cm_load_and_score_from_any_folder(
    tiny_lm: HFLM, manager: TaskManager, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names = both([*MINI, *ICD10CM])
    results = evaluate(names, tiny_lm, manager)
    assert set(results["results"]) == set(names)
    assert set(results["versions"].values()) == {1.0}
    shots = {"mini_problem_list": 2, "mini_coding": 3, "mini_visit_note": 1}
    assert results["n-shot"] == {name: shots.get(name.removesuffix("_validation"), 0) for name in names}
    assert_finite(results, manager)
    for sample in results["samples"]["mini_question_summary"]:
        assert sample["empty"] == float(not sample["filtered_resps"][0].strip())
        assert 0.0 <= sample["rouge1"] <= 1.0


def test_choices_and_targets(manager: TaskManager) -> None:
    tasks = manager.load(both(MINI))["tasks"]
    answers = {"entailment": "True", "neutral": "Neither", "contradiction": "False"}
    for name in both(["mini_nli"]):
        for item in tasks[name].eval_docs:
            assert tasks[name].doc_to_choice(item)[tasks[name].doc_to_target(item)] == answers[item["label"]]
    for name in both(["mini_error_detection"]):
        for item in tasks[name].eval_docs:
            choices = tasks[name].doc_to_choice(item)
            assert choices == [*map(str, range(len(item["sentences"]))), "-1"]
            assert choices[tasks[name].doc_to_target(item)] == str(item["error_sentence"])


def test_error_detection_prompt_numbers_its_sentences(manager: TaskManager) -> None:
    task = manager.load("mini_error_detection")["tasks"]["mini_error_detection"]
    item = task.eval_docs[0]
    numbered = "\n".join(f"{i} {sentence}" for i, sentence in enumerate(item["sentences"]))
    assert task.doc_to_text(item).split("\n", 1)[1] == f"{numbered}\nAnswer:"


def test_prompts_end_where_an_answer_can_begin(manager: TaskManager) -> None:
    for name, task in manager.load(both([*MINI, *ICD10CM]))["tasks"].items():
        for item in task.eval_docs:
            prompt = task.fewshot_context(item, num_fewshot=0)
            assert prompt == prompt.rstrip(), name  # a trailing space would split the answer's first token
            assert "{{" not in prompt, name
            assert (prompt == "") == ("perplexity" in name), name


@pytest.mark.parametrize("name", ["mini_nli", "mini_nli_validation"])
def test_shots_are_validation_items_other_than_the_one_asked(name: str, manager: TaskManager) -> None:
    task = manager.load(name)["tasks"][name]
    task.set_fewshot_seed(0)
    premises = {item["premise"] for item in task.dataset["validation"]}
    for item in task.eval_docs:
        *shots, asked = task.fewshot_context(item, num_fewshot=8).split("\n\n")
        found = {shot.split("\n")[0] for shot in shots}
        assert len(found) == 8
        assert found <= premises - {item["premise"]}
        assert asked.startswith(item["premise"])


@pytest.mark.parametrize("task", FETCHED)
def test_absent_data_is_refused_with_the_command_that_gets_it(
    task: str, manager: TaskManager, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WORKBENCH_MIRROR", raising=False)
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path))
    with pytest.raises(DataMissing, match=f"workbench fetch {FETCHED[task]}"):
        manager.load(task)


@pytest.mark.parametrize("task", fetched)
def test_fetched_tasks_score(task: str, tiny_lm: HFLM, manager: TaskManager) -> None:
    results = evaluate(both([task]), tiny_lm, manager)
    assert_finite(results, manager)
    counts = results["n-samples"]
    assert (counts[f"{task}_validation"]["original"], counts[task]["original"]) == N[task]


@pytest.mark.parametrize("task", fetched)
def test_fetched_splits_share_no_item(task: str, manager: TaskManager) -> None:
    splits = manager.load(task)["tasks"][task].dataset
    key = {"pubmedqa": "pmid", "clinical_notes_perplexity": "text"}[task]
    assert not set(splits["validation"][key]) & set(splits["test"][key])


@needs("pubmedqa")
def test_pubmedqa_asks_as_the_task_of_lm_eval_does(manager: TaskManager) -> None:
    from lm_eval.tasks.pubmedqa.preprocess_pubmedqa import doc_to_text

    task = manager.load("pubmedqa")["tasks"]["pubmedqa"]
    for item in task.eval_docs.select(range(50)):
        assert task.doc_to_text(item) == doc_to_text(item)
