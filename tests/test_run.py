"""A whole run on tiny models: done once, resumed, failed, killed, interrupted, out of disk, out of rights."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import tiny
import torch
from safetensors import SafetensorError

from workbench.cli import main as cli
from workbench.context import Context
from workbench.merging.fold import fold
from workbench.plan import Plan, Step, plan
from workbench.results import finish
from workbench.run import Walk, walk
from workbench.specs.project import load_run
from workbench.steps import EXECUTORS
from workbench.store import MANIFEST, Store


@pytest.fixture(scope="module", autouse=True)
def no_data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No source of data is on this machine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("WORKBENCH_MIRROR", raising=False)
        patch.setenv("WORKBENCH_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run file of a tiny project."""
    return tiny.save_project(tmp_path_factory.mktemp("tiny") / "project")


@pytest.fixture(scope="module")
def finished(small: Path, tmp_path_factory: pytest.TempPathFactory) -> Walk:
    """A walk over that project that has done everything."""
    done = run(small, tmp_path_factory.mktemp("finished") / "runs")
    finish(done)
    return done


def planned(run_file: Path) -> Plan:
    return plan(load_run(run_file))


def run(run_file: Path, runs: Path) -> Walk:
    return walk(planned(run_file), Store(runs))


@pytest.fixture
def runs(finished: Walk, tmp_path: Path) -> Path:
    """A copy of the finished run's folder, to be spoilt."""
    return tiny.copy(finished.context.store.root, tmp_path / "runs")


@pytest.fixture
def project(small: Path, tmp_path: Path) -> Path:
    """A copy of the project, to be changed."""
    return tiny.copy(small.parents[1], tmp_path / "project")


def outcomes(walked: Walk) -> dict[str, tuple[str, str]]:
    return {f"{end.step.kind} {end.step.name}": (end.outcome, end.reason) for end in walked.ended}


def forget(runs: Path, *patterns: str) -> None:
    """Remove artifacts, as if they had not been made yet."""
    for pattern in patterns:
        found = list((runs / "store").glob(pattern))
        assert found, pattern
        for folder in found:
            shutil.rmtree(folder)


def assert_whole(runs: Path) -> int:
    """Every folder that has its final name is whole; how many there are."""
    folders = [folder for folder in (runs / "store").glob("*/*") if not folder.name.startswith(".")]
    for folder in folders:
        manifest = json.loads((folder / MANIFEST).read_text())
        names = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()} - {MANIFEST}
        assert names == manifest["files"].keys()
        for name, listed in manifest["files"].items():
            assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == listed["sha256"]
    return len(folders)


def temporary(runs: Path) -> list[Path]:
    return list(runs.rglob(".*.tmp-*"))


def snapshot(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in sorted(folder.rglob("*"))}


# The run


def test_a_run_does_every_step(finished: Walk) -> None:
    kinds = [end.step.kind for end in finished.ended]
    assert {kind: kinds.count(kind) for kind in set(kinds)} == {
        "base": 1, "adapter": 2, "expert": 2, "merge": 3, "score": 12, "pick": 2, "select": 1
    }  # fmt: skip
    assert {outcome for outcome, _ in outcomes(finished).values()} == {"done"}
    assert assert_whole(finished.context.store.root) == len(finished.ended)
    assert not temporary(finished.context.store.root)
    assert not finished.failures()


def test_scores_are_records_of_the_tasks_at_hand(finished: Walk) -> None:
    scores = [finished.context[end.step.id].json("scores.json") for end in finished.ended if end.step.kind == "score"]
    assert {(row["task"], row["n"], row["unscored"]) for rows in scores for row in rows} == {("mini_nli", 4, 0)}
    assert {row["role"] for rows in scores for row in rows} == {"validation", "test"}
    assert {row["model"] for rows in scores for row in rows} == {
        "base", "notes", "codes", "slerp-notes", "slerp-codes", "sum"
    }  # fmt: skip


def test_tasks_without_data_are_listed_with_the_reason(finished: Walk) -> None:
    listed = finished.context.plan.unavailable
    assert [(one.task, one.role) for one in listed] == [("meqsum", "validation"), ("meqsum", "test")]
    assert all("is not on this machine. Run: workbench fetch meqsum" in one.reason for one in listed)
    board = (finished.context.store.root / "small" / "leaderboard.md").read_text()
    assert "workbench fetch meqsum" in board


def test_an_expert_is_its_folded_adapter(finished: Walk, small: Path, tmp_path: Path) -> None:
    project = small.parents[1]
    fold(project / "models" / "tiny", project / "experts" / "notes", "tiny", tmp_path)
    [artifact] = [
        finished.context[e.step.id] for e in finished.ended if (e.step.kind, e.step.name) == ("expert", "notes")
    ]
    found, wanted = tiny.weights_of(artifact.path), tiny.weights_of(tmp_path)
    assert all(torch.equal(found[name], wanted[name]) for name in wanted)


def test_a_merge_of_picks_reads_the_models_that_were_picked(finished: Walk) -> None:
    # With one candidate an expert, each pick is that expert's slerp: base + (a - base) + (b - base).
    made = {end.step.name: finished.context[end.step.id].path for end in finished.ended if end.step.kind == "merge"}
    [base] = [finished.context[end.step.id].path for end in finished.ended if end.step.kind == "base"]
    a, b, both, origin = (
        tiny.weights_of(folder) for folder in (made["slerp-notes"], made["slerp-codes"], made["sum"], base)
    )
    for name, tensor in both.items():
        wanted = (a[name].float() + b[name].float() - origin[name]).bfloat16()
        torch.testing.assert_close(tensor, wanted, rtol=2**-7, atol=1e-6)


def test_what_a_run_leaves_for_people(finished: Walk) -> None:
    folder = finished.context.store.root / "small"
    assert {path.name for path in folder.iterdir()} == {
        "outcomes.json", "selection.json", "leaderboard.md", "leaderboard.csv", "handoff"
    }  # fmt: skip
    selection = json.loads((folder / "selection.json").read_text())
    assert selection["model"] in {"slerp-notes", "slerp-codes", "sum"}
    bundle = json.loads((folder / "handoff" / "bundle.json").read_text())
    assert (folder / "handoff" / bundle["checkpoint"] / "model.safetensors").is_file()
    assert {entry["outcome"] for entry in json.loads((folder / "outcomes.json").read_text())} == {"done"}


def test_a_second_walk_skips_everything_and_writes_nothing(small: Path, runs: Path) -> None:
    before = snapshot(runs)
    again = run(small, runs)
    assert {outcome for outcome, _ in outcomes(again).values()} == {"skipped"}
    assert snapshot(runs) == before


# Failures


def test_a_model_from_outside_gets_the_scores_that_the_run_would_give_it(
    small: Path, runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli, "_quiet_libraries", lambda: None)
    (expert,) = (runs / "store" / "expert").glob("codes-*")
    outside = tiny.copy(expert, tmp_path / "outside")
    (outside / "README.md").write_text("Other bytes, the same weights.")
    command = ["score", str(outside), "--run", str(small), "--name", "outsider", "--runs", str(runs)]
    assert cli.run(command) == 0
    for role in ("validation", "test"):
        (ours,) = (runs / "store" / "score").glob(f"outsider-{role}-*/scores.json")
        (theirs,) = (runs / "store" / "score").glob(f"codes-{role}-*/scores.json")
        assert [r["value"] for r in json.loads(ours.read_text())] == [
            r["value"] for r in json.loads(theirs.read_text())
        ]
    assert "outsider" in (runs / "small" / "leaderboard.csv").read_text()
    before = snapshot(runs / "store")
    assert cli.run(command) == 0
    assert snapshot(runs / "store") == before


def failing(kind: str, name: str, error: Exception) -> Callable[[Step, Context, Path], None]:
    real = EXECUTORS[kind]

    def execute(step: Step, context: Context, out: Path) -> None:
        (out / "half").write_text("half")
        if step.name == name:
            raise error
        (out / "half").unlink()
        real(step, context, out)

    return execute


def test_a_failed_step_stops_what_needs_it_and_nothing_else(
    small: Path, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forget(runs, "merge/*", "pick/*", "select/*", "score/slerp-*", "score/sum-*")
    monkeypatch.setitem(EXECUTORS, "merge", failing("merge", "slerp-notes", RuntimeError("first line\nsecond line")))  # type: ignore[arg-type]
    ended = outcomes(run(small, runs))
    log = runs / "failed" / "merge-slerp-notes.log"
    assert ended["merge slerp-notes"] == ("failed", f"RuntimeError: first line (traceback in {log})")
    assert "second line" in log.read_text()
    assert ended["score slerp-notes-validation"] == ("not run", "needs slerp-notes")
    assert ended["score slerp-notes-test"] == ("not run", "needs slerp-notes")
    assert ended["pick best-of-slerp-for-notes"] == ("not run", "needs slerp-notes-validation")
    assert ended["merge sum"][0] == "not run"
    assert ended["select small"][0] == "not run"
    assert {ended[f"{name}"][0] for name in ("merge slerp-codes", "score slerp-codes-test")} == {"done"}
    assert ended["expert notes"] == ("skipped", "")
    assert not list((runs / "store" / "merge").glob("slerp-notes-*"))
    assert not temporary(runs)
    assert_whole(runs)


def test_a_failure_is_exit_code_one_and_the_board_shows_the_rest(
    small: Path, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli, "_quiet_libraries", lambda: None)
    forget(runs, "merge/sum-*", "score/sum-*", "select/*")
    monkeypatch.setitem(EXECUTORS, "merge", failing("merge", "sum", RuntimeError("no luck")))  # type: ignore[arg-type]
    assert cli.run(["run", str(small), "--runs", str(runs)]) == 1
    listed = {
        f"{one['kind']} {one['step']}": one["outcome"]
        for one in json.loads((runs / "small" / "outcomes.json").read_text())
    }
    assert (listed["merge sum"], listed["select small"], listed["score codes-test"]) == ("failed", "not run", "skipped")
    board = (runs / "small" / "leaderboard.md").read_text()
    assert "slerp-codes" in board


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)"),
    ],
    ids=["os", "safetensors"],
)
@pytest.mark.parametrize("victim", ["merge/slerp-notes-*", "expert/notes-*"])
def test_a_full_disk_fails_the_step_in_one_sentence(
    victim: str, error: Exception, small: Path, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:  # the header is on the disk already
        raise error

    forget(runs, victim)
    monkeypatch.setattr("workbench.merging.writer.Writer._write", full)
    kind, name = victim.removesuffix("-*").split("/")
    outcome, reason = outcomes(run(small, runs))[f"{kind} {name}"]
    assert outcome == "failed"
    assert reason.startswith(f"{runs}: the disk is full (")
    assert reason.endswith("Free space, then start again: finished steps are kept.")
    assert not list((runs / "store").glob(victim))
    assert not temporary(runs)
    assert not (runs / "failed").exists()


def test_a_disk_that_is_full_at_the_last_moment_leaves_no_artifact(
    small: Path, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    forget(runs, "merge/sum-*")
    monkeypatch.setattr(os, "fsync", full)
    outcome, reason = outcomes(run(small, runs))["merge sum"]
    monkeypatch.undo()
    assert (outcome, "the disk is full" in reason) == ("failed", True)
    assert not list((runs / "store").glob("merge/sum-*"))
    assert not temporary(runs)
    assert outcomes(run(small, runs))["merge sum"] == ("done", "")


def test_a_runs_folder_that_cannot_be_written_is_exit_code_two(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli, "_quiet_libraries", lambda: None)
    (tmp_path / "file").write_text("")
    runs = tmp_path / "file" / "runs"
    assert cli.run(["run", str(small), "--runs", str(runs)]) == 2
    assert "cannot be written. Pass --runs with a folder you own." in capsys.readouterr().err
    assert (tmp_path / "file").read_text() == ""


# Shipped adapters


def test_a_shipped_adapter_of_another_declaration_is_refused(project: Path, runs: Path) -> None:
    declared = project / "experts" / "notes.yaml"
    shipped = json.loads((project / "experts" / "notes" / "manifest.json").read_text())["id"]
    declared.write_text(declared.read_text().replace("seed: 1", "seed: 8"))
    walked = run(project / "merges" / "small.yaml", runs)
    ended = outcomes(walked)
    [now] = [end.step.id for end in walked.ended if (end.step.kind, end.step.name) == ("adapter", "notes")]
    assert ended["adapter notes"] == (
        "failed",
        f"experts/notes/ was trained from another declaration (id {shipped[:12]}) than experts/notes.yaml now makes "
        f"(id {now[:12]}). Run: workbench train experts/notes.yaml, or take the change back.",
    )
    assert ended["expert notes"] == ("not run", "needs notes")
    assert ended["expert codes"] == ("skipped", "")


def test_how_often_a_training_saves_is_no_other_declaration(project: Path, runs: Path) -> None:
    declared = project / "experts" / "notes.yaml"
    declared.write_text("# A comment.\n" + declared.read_text().replace("lr: 1.0e-3", "lr: 1.0e-3, save_steps: 7"))
    ended = outcomes(run(project / "merges" / "small.yaml", runs))
    assert {outcome for outcome, _ in ended.values()} == {"skipped"}


def test_a_shipped_adapter_with_other_weights_is_refused(project: Path, runs: Path) -> None:
    forget(runs, "adapter/notes-*")
    weights = project / "experts" / "notes" / "adapter_model.safetensors"
    raw = bytearray(weights.read_bytes())
    raw[-1] ^= 1
    weights.write_bytes(raw)
    ended = outcomes(run(project / "merges" / "small.yaml", runs))
    assert ended["adapter notes"] == (
        "failed",
        "experts/notes/adapter_model.safetensors is not the file of its manifest. Check it out again.",
    )
    assert not list((runs / "store").glob("adapter/notes-*"))


# Killed and interrupted

COMMAND = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs are born deaf to Ctrl-C
from workbench.cli.main import main
main(sys.argv[1:])
"""


def started(run_file: Path, runs: Path, artifacts: int) -> subprocess.Popen[str]:
    """`workbench run` in another process, returned in the middle of a step, once `artifacts` are there."""
    command = [sys.executable, "-c", COMMAND, "run", str(run_file), "--runs", str(runs)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    deadline = time.monotonic() + 300
    while len(list((runs / "store").glob(f"*/[!.]*/{MANIFEST}"))) < artifacts or not temporary(runs / "store"):
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            pytest.fail(f"the run was not caught in a step:\n{process.communicate()[0]}")
        time.sleep(0.001)
    return process


def test_killed_and_interrupted_runs_go_on_where_they_stopped(small: Path, finished: Walk, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    killed = started(small, runs, artifacts=6)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert assert_whole(runs) >= 6
    kept = {folder.name for folder in (runs / "store").glob("*/[!.]*")}

    interrupted = started(small, runs, artifacts=len(kept) + 3)
    interrupted.send_signal(signal.SIGINT)
    text = interrupted.communicate()[0]
    assert interrupted.returncode == 130, text
    assert_whole(runs)
    assert kept < {folder.name for folder in (runs / "store").glob("*/[!.]*")}
    listed: list[dict[str, Any]] = json.loads((runs / "small" / "outcomes.json").read_text())
    assert len(listed) == len(finished.ended)
    assert {entry["outcome"] for entry in listed} == {"skipped", "done", "not run"}
    assert {entry["reason"] for entry in listed if entry["outcome"] == "not run"} == {"interrupted"}

    last = run(small, runs)
    assert {outcome for outcome, _ in outcomes(last).values()} == {"skipped", "done"}
    assert assert_whole(runs) == len(finished.ended)
    assert not temporary(runs)
    ours, theirs = (
        {end.step.id: walked.context[end.step.id].manifest["files"] for end in walked.ended if end.step.kind == "merge"}
        for walked in (last, finished)
    )
    weights = {step_id: files["model.safetensors"] for step_id, files in ours.items()}
    assert weights == {step_id: files["model.safetensors"] for step_id, files in theirs.items()}
