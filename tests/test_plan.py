"""Ids change with what changes a result and with nothing else; a plan reads no weights and loads no heavy library."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import pytest

from workbench.data.catalogue import SOURCES
from workbench.data.overlap import item_text
from workbench.data.source import RemoteFile, Source
from workbench.errors import SpecError, UserError
from workbench.plan import Excluded, Plan, Step, plan
from workbench.specs.project import load_run
from workbench.steps import items_to_avoid
from workbench.tasks import builders

Change = Callable[[str, str, str], None]

DARE = """\
  dare:
    merge_method: dare_ties
    seed: 7
    models: {each: experts, parameters: {weight: 0.5, density: 0.5}}
"""
HANDOFF = """\
handoff:
  seed: 5
  sft: {lr: 2.0e-5, data: mine.jsonl, max_steps: 4}
  dpo: {lr: 1.0e-6, data: dpo.jsonl}
"""


@pytest.fixture(autouse=True)
def no_data_at_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORKBENCH_MIRROR", raising=False)
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def planned(run_file: Path) -> Callable[[], Plan]:
    """Plan the tiny run as its files are now."""
    return lambda: plan(load_run(run_file))


def ids(found: Plan) -> dict[str, str]:
    return {f"{step.kind} {step.name}": step.id for step in found.steps}


def named(found: Plan, kind: str, name: str) -> Step:
    return next(step for step in found.steps if (step.kind, step.name) == (kind, name))


def changed(before: Plan, after: Plan) -> set[str]:
    """Steps of the first plan whose id is not in the second."""
    kept = {step.id for step in after.steps}
    return {name for name, step_id in ids(before).items() if step_id not in kept}


def test_an_intermediate_candidate_is_scored_on_validation_alone_and_never_chosen(
    planned: Callable[[], Plan], change: Change
) -> None:
    before = planned()
    change("merges/run.yaml", "merge_method: slerp", "merge_method: slerp\n    intermediate: true")
    after = planned()
    slerps = {f"slerp-{expert}-{t}" for expert in ("code", "notes") for t in (0.25, 0.5)}
    roles = {scored.name: set(scored.scores) for scored in after.board}
    assert {name for name, found in roles.items() if found == {"validation"}} == slerps
    assert set(before.select.spec["candidates"]) - set(after.select.spec["candidates"]) == slerps
    # What they are, and what is made of them, stays as it was.
    assert changed(before, after) == {f"score {name}-test" for name in slerps} | {f"select {before.select.name}"}


def test_a_shortened_run_is_another_run_of_the_same_models(run_file: Path) -> None:
    whole, short = load_run(run_file), load_run(run_file).shortened(3)
    assert (short.run.run, short.run.score.limit) == (f"{whole.run.run}-limit-3", 3)
    kinds = {step.split()[0] for step in changed(plan(whole), plan(short))}
    assert kinds == {"score", "pick", "merge", "select"}  # merges of picks


def test_every_step_comes_after_its_inputs_and_once(planned: Callable[[], Plan]) -> None:
    found = planned()
    seen: set[str] = set()
    for step in found.steps:
        assert seen.issuperset(step.inputs), step.name
        assert step.id not in seen
        seen.add(step.id)
    # base, 2 x (adapter, expert), 6 merges, 2 scores of each of the 9 models, 2 picks, select
    assert len(found.steps) == 1 + 4 + 6 + 18 + 2 + 1
    assert [scored.name for scored in found.board][:3] == ["base", "code", "notes"]
    assert found.step(found.select.id) is found.select
    assert found.align is None


def test_choices_read_validation_scores_only(planned: Callable[[], Plan]) -> None:
    found = planned()
    choices = [step for step in found.steps if step.kind in ("pick", "select")]
    assert [step.name for step in choices] == ["best-of-slerp-for-code", "best-of-slerp-for-notes", "small"]
    for step in choices:
        read = [found.step(step_id) for step_id in step.inputs]
        assert {(one.kind, one.spec["role"]) for one in read} == {("score", "validation")}
        assert read[0].name == "base-validation"


def test_a_merge_of_merges_reads_the_picks(planned: Callable[[], Plan]) -> None:
    found = planned()
    merge = named(found, "merge", "sum")
    assert [found.step(step_id).kind for step_id in merge.inputs] == ["pick", "pick", "base"]
    assert [entry["model"] for entry in merge.spec["models"]] == ["0", "1"]
    assert merge.spec["base_model"] == "2"


@pytest.mark.parametrize(
    ("file", "old", "new", "expected"),
    [
        ("merges/run.yaml", "seed: 7", "seed: 8", {"merge dare", "score dare-validation", "score dare-test"}),
        (
            "merges/run.yaml",
            DARE,
            DARE + "    dtype: bfloat16\n",
            {"merge dare", "score dare-validation", "score dare-test"},
        ),
        (
            "merges/run.yaml",
            DARE,
            DARE + "    out_dtype: float32\n",
            {"merge dare", "score dare-validation", "score dare-test"},
        ),
        ("merges/run.yaml", "[code, notes]", "[notes, code]", {"merge dare", "score dare-validation"}),
        (
            "experts/notes.yaml",
            "r: 2,",
            "r: 4,",
            {"adapter notes", "expert notes", "merge slerp-notes-0.25", "merge dare", "merge sum"},
        ),
        ("experts/notes.yaml", "seed: 2", "seed: 3", {"adapter notes", "expert notes"}),
        ("experts/code.yaml", "max_tokens: 1000", "max_tokens: 999", {"adapter code", "expert code"}),
        ("experts/tiny.yaml", "tiny.gguf", "large.gguf", {"base tiny", "adapter code", "adapter notes", "merge dare"}),
        (
            "benchmarks/tasks/nli/nli.yaml",
            "include",
            "# other\ninclude",
            {"score base-validation", "score base-test", "score sum-test"},
        ),
        ("benchmarks/tasks/_common.yaml", "multiple_choice", "generate_until", {"score base-test", "score sum-test"}),
        ("benchmarks/suites/small_test.yaml", "metric: acc", "metric: acc_norm", {"score base-test"}),
        ("merges/run.yaml", "test: small_test}", "test: small_test, limit: 5}", {"score base-test", "merge sum"}),
        (
            "merges/run.yaml",
            "score: {",
            "select: {at_least: {datasets_gained: 2}}\nscore: {",
            {"select small"},
        ),
    ],
)
def test_what_changes_a_result_changes_its_id(
    file: str, old: str, new: str, expected: set[str], planned: Callable[[], Plan], change: Change
) -> None:
    before = planned()
    change(file, old, new)
    found = changed(before, planned())
    assert expected <= found
    assert "select small" in found or file.endswith("small_test.yaml")
    if not file.startswith("experts/tiny"):
        assert "base tiny" not in found


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("merges/run.yaml", "test: small_test}", "test: small_test, batch_size: 64}"),
        ("merges/run.yaml", "run: small", "# a comment\nrun:   small"),
        (
            "merges/run.yaml",
            "{each: experts, parameters: {weight: 0.5, density: 0.5}}",
            "{parameters: {density: 0.5, weight: 0.5}, each: experts}",
        ),
        ("experts/code.yaml", "save_steps: 50", "save_steps: 7"),
        ("experts/code.yaml", "# A comment is no part of an id.", "# Another comment."),
        ("experts/code.yaml", "train: {lr: 1.0e-3,", "train: {lr: 0.001, epochs: 1.0,"),
        ("experts/code.yaml", "domain: codes", "domain: medical codes"),
    ],
)
def test_what_changes_no_result_changes_no_id(
    file: str, old: str, new: str, planned: Callable[[], Plan], change: Change
) -> None:
    before = planned()
    change(file, old, new)
    assert ids(planned()) == ids(before)


def test_a_candidate_keeps_its_ids_under_another_name(planned: Callable[[], Plan], change: Change) -> None:
    before = planned()
    change("merges/run.yaml", "  dare:", "  dropped:")
    after = planned()
    assert named(after, "merge", "dropped").id == named(before, "merge", "dare").id
    assert named(after, "score", "dropped-test").id == named(before, "score", "dare-test").id
    assert changed(before, after) == {"select small"}  # it writes the names


def test_python_caches_of_a_task_change_no_id(planned: Callable[[], Plan], project: Path) -> None:
    before = planned()
    (project / "benchmarks/tasks/nli/__pycache__").mkdir()
    (project / "benchmarks/tasks/nli/__pycache__/utils.pyc").write_bytes(b"\0")
    assert ids(planned()) == ids(before)


def test_equal_candidates_are_one_step_with_two_names(planned: Callable[[], Plan], change: Change) -> None:
    before = planned()
    change("merges/run.yaml", DARE, DARE + DARE.replace("dare:", "again:"))
    after = planned()
    assert len(after.steps) == len(before.steps)
    assert {scored.name for scored in after.board} - {scored.name for scored in before.board} == {"again"}


def test_an_expert_is_known_by_its_data(planned: Callable[[], Plan], monkeypatch: pytest.MonkeyPatch) -> None:
    before = planned()
    data = named(before, "adapter", "code").spec["corpora"][0]["data"]
    assert data == {"simple-icd-10-cm": version("simple-icd-10-cm")}
    read = RemoteFile("MTS-Dialog-TrainingSet.csv", "https://example.org/train.csv", "1" * 64)
    others = tuple(file for file in SOURCES["mts-dialog"].files if file.name != read.name)
    monkeypatch.setitem(SOURCES, "mts-dialog", Source("mts-dialog", "CC BY 4.0", "test", (read, *others)))
    assert {"adapter notes", "expert notes"} <= changed(before, planned())


def test_an_expert_is_known_by_the_items_that_it_must_not_read(planned: Callable[[], Plan], change: Change) -> None:
    before = planned()
    change("experts/notes.yaml", "seed: ", "exclude: [small_test]\nseed: ")
    after = planned()
    assert {"adapter notes", "expert notes"} <= changed(before, after)
    assert "adapter code" not in changed(before, after)
    suite = {task["task"] for task in named(after, "score", "base-test").spec["tasks"]}
    assert named(after, "adapter", "notes").spec["exclude"].keys() == suite
    change("experts/notes.yaml", "[small_test]", "[smal_test]")
    with pytest.raises(SpecError, match=r"'smal_test' is neither a suite nor a task\. Did you mean 'small_test'\?"):
        planned()


def test_the_items_that_an_expert_must_not_read_are_those_of_the_tasks(repository: Path) -> None:
    assert items_to_avoid(None) is None
    found = items_to_avoid(Excluded(repository / "benchmarks" / "tasks", ("mini_question_summary",)))
    assert found is not None
    items = (repository / "benchmarks/tasks/mini_question_summary/test.jsonl").read_text().splitlines()
    assert all(found.share(item_text(json.loads(item))) == 1 for item in items)


def test_a_task_is_known_by_the_code_that_makes_its_items(tmp_path: Path) -> None:
    (tmp_path / "utils.py").write_text(
        "from workbench.data import icd10cm\nfrom workbench.data.sources import path_of\n"
        "from workbench.scoring.metrics import generation_scores\n"
    )
    found = builders(tmp_path)
    assert {"workbench.data.icd10cm", "workbench.scoring.metrics", "workbench.scoring.bertscore"} <= found.keys()
    assert "workbench.data.sources" not in found
    assert all(len(digest) == 64 for digest in found.values())


def test_files_that_an_expert_does_not_read_are_no_part_of_it(
    planned: Callable[[], Plan], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = planned()
    more = RemoteFile("another.csv", "https://example.org/another.csv", "1" * 64)
    source = SOURCES["mts-dialog"]
    monkeypatch.setitem(SOURCES, "mts-dialog", replace(source, files=(*source.files, more)))
    assert not changed(before, planned())


def test_a_local_base_is_known_by_its_bytes_and_not_by_its_place(
    planned: Callable[[], Plan], project: Path, change: Change
) -> None:
    for name in ("one", "two"):
        (project / name).mkdir()
        (project / name / "config.json").write_text("{}")
    (project / "experts/tiny.yaml").write_text("kind: base\nsource: {path: ../one}\nlicence: MIT\n")
    one = planned()
    change("experts/tiny.yaml", "../one", "../two")
    assert ids(planned()) == ids(one)
    (project / "two/config.json").write_text('{"x": 1}')
    assert "base tiny" in changed(one, planned())
    shutil.rmtree(project / "two")
    with pytest.raises(UserError, match=r"tiny\.yaml: \.\./two is no folder\. Give one in the transformers layout\."):
        planned()


def test_handoff(planned: Callable[[], Plan], project: Path, run_file: Path, change: Change) -> None:
    run_file.write_text(run_file.read_text() + HANDOFF)
    with pytest.raises(UserError, match=r"alignment data 'mine\.jsonl' is neither beside the file nor shipped\."):
        planned()
    (run_file.parent / "mine.jsonl").write_text("{}\n")
    found = planned()
    assert found.align is not None
    assert found.align.inputs == (found.select.id,)
    assert found.align.spec["sft"]["data_sha256"] == hashlib.sha256(b"{}\n").hexdigest()
    assert found.board[-1].name == "aligned"
    (run_file.parent / "mine.jsonl").write_text("{ }\n")
    assert changed(found, planned()) == {"align aligned", "score aligned-validation", "score aligned-test"}
    change("merges/run.yaml", "  seed: 5\n", "  seed: 5\n  execute: false\n")
    assert planned().align is None


def test_a_task_whose_data_are_not_here_is_unavailable(
    repository: Path, run_file: Path, project: Path, change: Change
) -> None:
    shutil.rmtree(project / "benchmarks")
    (project / "benchmarks").symlink_to(repository / "benchmarks")
    change(
        "merges/run.yaml",
        "{validation: small_validation, test: small_test}",
        "{validation: mini_validation, test: clue_plus}",
    )
    found = plan(load_run(run_file))
    reasons = {missing.task: missing.reason for missing in found.unavailable}
    assert {missing.role for missing in found.unavailable} == {"test"}
    assert len(reasons) == 11  # ICD10CM comes with a package
    file = SOURCES["meqsum"].files[0].name
    assert reasons["meqsum"] == (
        f"meqsum/{file} is not on this machine. Run: workbench fetch meqsum "
        f"(or point WORKBENCH_MIRROR at a folder that holds meqsum/{file})"
    )
    assert reasons["mednli"].startswith(
        "mednli/mli_test_v1.jsonl is not on this machine. With a PhysioNet credential, download mli_test_v1.jsonl from "
    )
    scored = [task["name"] for task in named(found, "score", "base-test").spec["tasks"]]
    assert scored == ["icd10cm_clue"]


def test_a_task_is_scored_as_soon_as_its_data_are_here_and_whole(
    planned: Callable[[], Plan], change: Change, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sha256 = hashlib.sha256(b"items").hexdigest()
    files = (RemoteFile("items.csv", "https://example.org/items.csv", sha256),)
    monkeypatch.setitem(SOURCES, "meqsum", Source("meqsum", "CC BY 4.0", "test", files))
    change("benchmarks/suites/small_test.yaml", "metric: rouge1", "metric: rouge1, sources: [meqsum]")
    without = planned()
    assert [missing.task for missing in without.unavailable] == ["summary"]
    file = tmp_path / "mirror" / "meqsum" / "items.csv"
    file.parent.mkdir(parents=True)
    monkeypatch.setenv("WORKBENCH_MIRROR", str(tmp_path / "mirror"))
    file.write_bytes(b"other items")
    (broken,) = planned().unavailable
    assert broken.reason.startswith(f"{file}: checksum ")
    assert broken.reason.endswith("Delete the file, then run: workbench fetch meqsum")
    file.write_bytes(b"items")
    found = planned()
    assert found.unavailable == ()
    assert [task["name"] for task in named(found, "score", "base-test").spec["tasks"]] == ["nli", "summary"]
    assert named(found, "score", "base-test").id != named(without, "score", "base-test").id


PROBE = """
import json, sys
from pathlib import Path
from workbench.plan import plan
from workbench.specs.project import load_run
found = [[step.kind, step.name, step.id] for step in plan(load_run(Path(sys.argv[1]))).steps]
heavy = {"torch", "transformers", "mergekit", "lm_eval", "trl", "peft", "pandas", "datasets", "rich"}
print(json.dumps({"ids": found, "heavy": sorted(heavy & sys.modules.keys())}))
"""


@pytest.mark.parametrize("seed", ["0", "12345"])
def test_ids_are_the_same_in_every_process_and_nothing_heavy_is_loaded(
    seed: str, run_file: Path, planned: Callable[[], Plan], tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROBE, str(run_file)],
        env={**os.environ, "PYTHONHASHSEED": seed},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(done.stdout)
    assert found["heavy"] == []
    assert found["ids"] == [[step.kind, step.name, step.id] for step in planned().steps]
