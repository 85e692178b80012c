"""The harness against plain lm-eval, and what a score carries."""

from __future__ import annotations

import json
import math
import random
import statistics
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny
import torch
from lm_eval import simple_evaluate
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks import TaskManager
from safetensors.torch import load_file, save_file

from workbench.errors import StepFailed, UserError
from workbench.scoring.answered import Task
from workbench.scoring.harness import Harness, Scores, Settings, subset

METRICS = {
    "mini_nli": "acc",
    "mini_question_summary": "rouge1",
    "mini_notes_perplexity": "bits_per_byte",
    "mini_nli_two_shots": "acc_norm",
}
LIMIT = 6


def task(name: str, metric: str | None = None) -> Task:
    higher = name != "mini_notes_perplexity"
    return Task(name, f"{name}-column", metric or METRICS[name], "0123456789abcdef", 0.333, higher, higher)


def score(harness: Harness, model: Path, *tasks: Task, limit: int | None = LIMIT) -> Scores:
    return harness.score("tiny", "an-id", model, tasks, "test", Settings("float32", 4, limit))


@pytest.fixture(scope="module")
def scores(harness: Harness, model: Path) -> Scores:
    return score(harness, model, *(task(name) for name in METRICS))


def asked(manager: TaskManager, limit: int = LIMIT) -> dict[str, list[int]]:
    """The items of every task that the harness asks."""
    return {
        name: subset(name, len(task.eval_docs), limit) for name, task in manager.load(list(METRICS))["tasks"].items()
    }


@pytest.fixture(scope="module")
def theirs(model: Path, tasks: Path) -> dict[str, Any]:
    manager = TaskManager(include_path=str(tasks), include_defaults=False)
    loaded = HFLM(pretrained=str(model), dtype="float32", batch_size=4, device="cpu")
    found: dict[str, Any] = simple_evaluate(
        loaded, tasks=list(METRICS), task_manager=manager, samples=asked(manager), bootstrap_iters=1, log_samples=True
    )
    return found


@pytest.mark.parametrize("name", list(METRICS))
def test_values_are_lm_eval_s(name: str, scores: Scores, theirs: dict[str, Any]) -> None:
    row = next(row for row in scores.rows if row.task == f"{name}-column")
    wanted = theirs["results"][name]
    assert row.value == pytest.approx(wanted[f"{METRICS[name]},none"], rel=1e-5)
    if METRICS[name] != "bits_per_byte":
        assert row.stderr == pytest.approx(wanted[f"{METRICS[name]}_stderr,none"], rel=1e-5)


@pytest.mark.parametrize("name", ["mini_nli", "mini_nli_two_shots"])
def test_log_likelihoods_are_lm_eval_s(name: str, scores: Scores, theirs: dict[str, Any]) -> None:
    ours = [item["filtered_resps"] for item in scores.items if item["task"] == f"{name}-column"]
    wanted = [sample["filtered_resps"] for sample in theirs["samples"][name]]
    assert len(ours) == LIMIT
    for mine, other in zip(ours, wanted, strict=True):
        assert [float(number) for number, _ in mine] == pytest.approx([float(number) for number, _ in other], abs=1e-3)
        assert [str(greedy) for _, greedy in mine] == [str(greedy) for _, greedy in other]


def test_a_sliding_window_is_respected(harness: Harness, model: Path, tasks: Path, tmp_path: Path) -> None:
    # Contexts here are longer than eight tokens; a mask of our own must not show a model more than its window.
    folder = tiny.copy(model, tmp_path / "mistral")
    tiny.edit_json(folder / "config.json", architectures=["MistralForCausalLM"], model_type="mistral", sliding_window=8)
    ours = score(harness, folder, task("mini_nli")).items
    manager = TaskManager(include_path=str(tasks), include_defaults=False)
    loaded = HFLM(pretrained=str(folder), dtype="float32", batch_size=4, device="cpu")
    assert loaded.model.config.sliding_window == 8
    theirs = simple_evaluate(
        loaded, tasks=["mini_nli"], task_manager=manager, samples=asked(manager), bootstrap_iters=1
    )
    for mine, other in zip(ours, theirs["samples"]["mini_nli"], strict=True):
        for (a, _), (b, _) in zip(mine["filtered_resps"], other["filtered_resps"], strict=True):
            assert float(a) == pytest.approx(float(b), abs=1e-3)


def test_every_model_sees_the_same_shots(harness: Harness, model: Path, scores: Scores, theirs: dict[str, Any]) -> None:
    again = score(harness, model, *(task(name) for name in METRICS))
    first, second = (
        [item["prompt_hash"] for item in found.items if item["task"] == "mini_nli_two_shots-column"]
        for found in (scores, again)
    )
    assert first == second == [sample["prompt_hash"] for sample in theirs["samples"]["mini_nli_two_shots"]]
    assert [row.value for row in again.rows] == [row.value for row in scores.rows]


def test_rows_carry_what_a_reader_needs(scores: Scores, theirs: dict[str, Any]) -> None:
    rows = {row.task: row for row in scores.rows}
    row = rows["mini_nli-column"]
    assert (row.model, row.model_id, row.role, row.metric) == ("tiny", "an-id", "test", "acc")
    assert (row.n, row.unscored, row.chance, row.in_mean) == (LIMIT, 0, 0.333, True)
    assert row.task_version == f"{theirs['versions']['mini_nli']}+01234567"
    assert row.stderr is not None
    assert row.stderr > 0
    perplexity = rows["mini_notes_perplexity-column"]
    assert (perplexity.higher_is_better, perplexity.in_mean) == (False, False)


def test_items_pair_models_and_hold_no_text_of_the_task(scores: Scores) -> None:
    json.dumps(scores.items, allow_nan=False)
    nli = [item for item in scores.items if item["task"] == "mini_nli-column"]
    assert [item["doc_id"] for item in nli] == subset("mini_nli", 40, LIMIT)
    assert all({"doc_hash", "acc", "acc_norm"} <= item.keys() for item in nli)
    assert not any({"doc", "arguments"} & item.keys() for item in scores.items)
    assert statistics.mean(item["acc"] for item in nli) == scores.rows[0].value


def test_of_a_confidential_task_no_text_is_kept(harness: Harness, model: Path) -> None:
    secret = replace(task("mini_question_summary", "rouge1"), confidential=True)
    found = score(harness, model, secret, limit=2)
    assert all({"doc_id", "doc_hash", "rouge1"} <= item.keys() for item in found.items)
    words = [value for item in found.items for key, value in item.items() if isinstance(value, str)]
    assert all(len(word) == 64 or word in (secret.name, "none") for word in words)
    assert not any({"target", "filtered_resps"} & item.keys() for item in found.items)


def test_standard_error_of_bits_per_byte_against_a_jackknife(harness: Harness, model: Path) -> None:
    found = score(harness, model, task("mini_notes_perplexity"), limit=None)
    pairs = [item["bits_per_byte"] for item in found.items]

    def ratio(items: list[list[float]]) -> float:
        return -sum(loglikelihood for loglikelihood, _ in items) / sum(size for _, size in items) / math.log(2)

    n = len(pairs)
    left_out = [ratio(pairs[:i] + pairs[i + 1 :]) for i in range(n)]
    mean = sum(left_out) / n
    jackknife = math.sqrt((n - 1) / n * sum((value - mean) ** 2 for value in left_out))
    [row] = found.rows
    assert n >= 10
    assert row.value == pytest.approx(ratio(pairs), rel=1e-6)
    assert row.stderr == pytest.approx(jackknife, rel=0.02)


def test_a_limit_draws_the_same_items_for_every_model_and_nests(harness: Harness, model: Path, scores: Scores) -> None:
    found = score(harness, model, task("mini_nli"), limit=2)
    assert found.rows[0].n == 2
    of_six = {item["doc_id"]: item["acc"] for item in scores.items if item["task"] == "mini_nli-column"}
    assert {item["doc_id"]: item["acc"] for item in found.items}.items() <= of_six.items()
    assert found.rows[0].value == statistics.mean(item["acc"] for item in found.items)


def test_a_subset_is_ascending_seeded_by_the_task_and_at_most_all() -> None:
    assert subset("a", 5, None) == subset("a", 5, 9) == [0, 1, 2, 3, 4]
    few = subset("a", 100, 10)
    assert few == sorted(set(few)) == subset("a", 100, 10)
    assert few not in (list(range(10)), subset("b", 100, 10))


def test_prompts_that_do_not_fit_are_counted(
    harness: Harness, model: Path, manager: TaskManager, tmp_path: Path
) -> None:
    short = tiny.copy(model, tmp_path / "short")
    tiny.edit_json(short / "config.json", max_position_embeddings=200)  # a token is a byte
    names = ["mini_nli", "mini_question_summary"]
    found = score(harness, short, *(task(name) for name in names), limit=None)
    for row, loaded in zip(found.rows, manager.load(names)["tasks"].values(), strict=True):
        answer = (loaded.config.generation_kwargs or {}).get("max_gen_toks", len(" Neither") - 1)
        prompts = [loaded.fewshot_context(doc, num_fewshot=0).encode() for doc in loaded.eval_docs]
        cut = [len(prompt) > 200 - answer for prompt in prompts]
        assert [item.get("cut", False) for item in found.items if item["task"] == row.task] == cut
        assert 0 < row.cut == sum(cut)
        assert row.n == 40
    whole = score(harness, model, task("mini_nli"), limit=None)
    assert whole.rows[0].cut == 0
    assert not any("cut" in item for item in whole.items)


def test_chat_asks_in_the_model_s_template(harness: Harness, model: Path, scores: Scores) -> None:
    settings = Settings("float32", 4, LIMIT, chat=True)
    chat = harness.score("tiny", "an-id", model, [task("mini_nli")], "test", settings)
    plain = [item for item in scores.items if item["task"] == "mini_nli-column"]
    assert [item["doc_id"] for item in chat.items] == [item["doc_id"] for item in plain]
    assert all(a["prompt_hash"] != b["prompt_hash"] for a, b in zip(chat.items, plain, strict=True))


def test_chat_without_a_template_is_refused(harness: Harness, model: Path, tmp_path: Path) -> None:
    plain = tiny.copy(model, tmp_path / "plain")
    (plain / "chat_template.jinja").unlink()
    with pytest.raises(UserError, match=r"plain: the tokenizer has no chat template\. Score it with 'chat: false'\.$"):
        harness.score("tiny", "an-id", plain, [task("mini_nli")], "test", Settings("float32", 4, 1, chat=True))


def test_what_cannot_be_scored_is_counted_and_never_zero(harness: Harness, model: Path) -> None:
    found = score(harness, model, task("partly", "length"), limit=12)
    [row] = found.rows
    neutral = sum(item["target"] == "neutral" for item in found.items)
    assert 0 < neutral < 12
    assert (row.n, row.unscored) == (12 - neutral, neutral)
    assert row.value is None  # lm-eval's mean over them is undefined
    assert row.stderr is None
    assert [item["length"] is None for item in found.items] == [item["target"] == "neutral" for item in found.items]


def test_a_model_that_predicts_nothing_has_no_score(harness: Harness, model: Path, tmp_path: Path) -> None:
    broken = tiny.copy(model, tmp_path / "broken")
    weights = load_file(broken / "model.safetensors")
    weights["model.norm.weight"][:] = torch.nan
    save_file(weights, broken / "model.safetensors", metadata={"format": "pt"})
    [row] = score(harness, broken, task("mini_notes_perplexity")).rows
    assert (row.value, row.stderr, row.n, row.unscored) == (None, None, 0, LIMIT)


def test_an_unknown_metric_is_named_with_the_known_ones(harness: Harness, model: Path) -> None:
    with pytest.raises(UserError, match=r"^task 'mini_nli' has no metric 'f1'\. It has: acc, acc_norm\.$"):
        score(harness, model, task("mini_nli", "f1"), limit=1)


def test_an_unknown_task_is_named_with_the_known_ones(harness: Harness, model: Path) -> None:
    with pytest.raises(UserError, match=r"^unknown task 'mini_nil'\. Known to lm-eval here: .*'mini_nli'"):
        score(harness, model, task("mini_nil", "acc"))


def test_a_group_and_one_of_its_parts_are_not_both_asked(model: Path) -> None:
    both = [task(name, "acc") for name in ("icd10cm", "icd10cm_easy")]
    shipped = Path(__file__).parents[2] / "benchmarks" / "tasks"
    with pytest.raises(UserError, match=r"Duplicate task 'icd10cm_easy'.*\. Name a group or its parts, not both\."):
        score(Harness(shipped), model, *both)


def test_a_folder_that_is_no_model_is_named(harness: Harness, model: Path, tmp_path: Path) -> None:
    broken = tiny.copy(model, tmp_path / "broken")
    (broken / "model.safetensors").unlink()
    with pytest.raises(StepFailed, match=r"broken: cannot be loaded \(.*\)$"):
        score(harness, broken, task("mini_nli"))


def test_the_dtype_of_the_suite_is_used(harness: Harness, model: Path) -> None:
    def value(dtype: str) -> float | None:
        tasks = [task("mini_notes_perplexity")]
        return harness.score("tiny", "an-id", model, tasks, "test", Settings(dtype, 4, LIMIT)).rows[0].value

    full, half = value("float32"), value("bfloat16")
    assert full is not None
    assert half is not None
    assert full != half
    assert full == pytest.approx(half, rel=0.02)


def test_global_random_states_are_left_alone(harness: Harness, model: Path) -> None:
    def states() -> tuple[object, ...]:
        return random.getstate(), np.random.get_state()[1].tobytes(), torch.get_rng_state().numpy().tobytes()

    score(harness, model, task("mini_nli_two_shots"), limit=1)  # datasets draws a name when a task is first built
    before = states()
    score(harness, model, task("mini_nli_two_shots"), limit=2)
    assert states() == before
