"""The hand-off bundle: its files, its relative paths, its script."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from workbench.alignment.bundle import align, shortened
from workbench.cli import score
from workbench.errors import StepFailed
from workbench.specs.run import Handoff

Bundle = Callable[..., Path]
RECORDER = """\
#!/usr/bin/env bash
echo "$@" >> "{calls}"
"""


def test_a_bundle_holds_everything_that_aligning_takes(bundle: Bundle, checkpoint: Path) -> None:
    out = bundle()
    assert sorted(path.name for path in out.iterdir()) == [
        "README.md", "align.sh", "bundle.json", "dpo.jsonl", "dpo.yaml", "recipe.yaml", "sft.jsonl", "sft.yaml"
    ]  # fmt: skip
    assert (out / "recipe.yaml").read_text() == (checkpoint / "recipe.yaml").read_text()
    evidence = json.loads((out / "bundle.json").read_text())
    assert evidence["selection"]["model"] == "sum"
    assert evidence["selection"]["rejected"] == [{"model": "linear", "reason": "It gains less."}]
    assert evidence["scores"][0]["value"] == 0.5
    assert evidence["licences"] == ["tiny: CC0"]
    assert "- It gains most." in (out / "README.md").read_text()
    assert os.access(out / "align.sh", os.X_OK)


def test_paths_in_a_bundle_are_relative_to_it(bundle: Bundle, checkpoint: Path, tmp_path: Path) -> None:
    out = bundle()
    assert (out / json.loads((out / "bundle.json").read_text())["checkpoint"]).resolve() == checkpoint.resolve()
    sft, dpo = (yaml.safe_load((out / f"{stage}.yaml").read_text()) for stage in ("sft", "dpo"))
    assert (out / sft["model"]).resolve() == checkpoint.resolve()
    assert (sft["output"], dpo["model"], dpo["output"]) == ("aligned/sft", "aligned/sft", "aligned/dpo")
    assert (sft["data"], dpo["data"]) == ("sft.jsonl", "dpo.jsonl")
    assert (sft["seed"], dpo["seed"], dpo["beta"], "beta" in sft) == (5, 5, 0.1, False)
    for path in out.iterdir():
        assert str(tmp_path) not in path.read_text(), path.name
        assert str(checkpoint) not in path.read_text(), path.name


def script(out: Path, tmp_path: Path, *stages: str, **environment: str) -> tuple[int, list[str], str]:
    """Run align.sh with a Python that only writes down how it was called: exit code, calls, error text."""
    calls, recorder = tmp_path / "calls", tmp_path / "python"
    recorder.write_text(RECORDER.format(calls=calls))
    recorder.chmod(0o755)
    done = subprocess.run(
        [str(out / "align.sh"), *stages],
        env={**os.environ, "PYTHON": str(recorder), **environment},
        cwd="/",
        capture_output=True,
        text=True,
    )
    return done.returncode, calls.read_text().splitlines() if calls.exists() else [], done.stderr


def test_the_script_runs_sft_dpo_and_the_scores(bundle: Bundle, tmp_path: Path) -> None:
    out = bundle()
    code, calls, _ = script(out, tmp_path)
    assert code == 0
    assert [call.rpartition(" -m ")[2] for call in calls[:2]] == [
        "workbench.alignment.sft sft.yaml", "workbench.alignment.dpo dpo.yaml"
    ]  # fmt: skip
    asked = score_options(calls[2])
    assert (asked.model, asked.name, asked.limit) == ("aligned/dpo", "aligned", None)
    assert (out / asked.run).resolve() == tmp_path / "merges" / "small.yaml"
    assert (out / asked.runs).resolve() == tmp_path / "runs"


def score_options(call: str) -> argparse.Namespace:
    """What `workbench score` itself understands of a call."""
    words = call.split()
    assert words[:3] == ["-m", "workbench", "score"]
    parser = argparse.ArgumentParser()
    score.arguments(parser)
    return parser.parse_args(words[3:])


def test_a_shortened_run_scores_its_aligned_model_on_as_many_items(bundle: Bundle, tmp_path: Path) -> None:
    _, calls, _ = script(bundle(limit=7), tmp_path, "score")
    assert [score_options(call).limit for call in calls] == [7]


def test_stages_may_be_named_and_launched_in_another_way(bundle: Bundle, tmp_path: Path) -> None:
    code, calls, _ = script(bundle(), tmp_path, "dpo", ACCELERATE_ARGS="--config_file fsdp.yaml")
    assert (code, calls) == (
        0, ["-m accelerate.commands.launch --config_file fsdp.yaml -m workbench.alignment.dpo dpo.yaml"]
    )  # fmt: skip


def test_an_unknown_stage_is_refused(bundle: Bundle, tmp_path: Path) -> None:
    code, calls, errors = script(bundle(), tmp_path, "stf")
    assert (code, calls, errors) == (2, [], "unknown stage 'stf'. Known: sft, dpo, score.\n")


def test_a_run_that_stops_early_is_labelled(bundle: Bundle) -> None:
    out = bundle()
    label = "shortened run: 1 SFT + 1 DPO steps"
    assert json.loads((out / "bundle.json").read_text())["shortened"] == label
    assert f"This is a {label}" in (out / "README.md").read_text()


@pytest.mark.parametrize(
    ("sft", "dpo", "label"),
    [(None, None, None), (4, None, "shortened run: 4 SFT steps"), (None, 2, "shortened run: 2 DPO steps")],
)
def test_the_label_names_the_stages_that_stop_early(sft: int | None, dpo: int | None, label: str | None) -> None:
    stages = {
        name: {"lr": 0.1, "data": "x.jsonl", **({"max_steps": steps} if steps else {})}
        for name, steps in (("sft", sft), ("dpo", dpo))
    }
    assert shortened(Handoff.model_validate({"seed": 1, **stages})) == label


OURS = """\
Loading weights
Traceback (most recent call last):
  File "trainer.py", line 1, in train
ValueError: loss is not a number
"""
ACCELERATE_S = """\
Traceback (most recent call last):
  File "launch.py", line 1, in launch
subprocess.CalledProcessError: Command '[...]' returned non-zero exit status 1.
"""


@pytest.mark.parametrize(
    ("printed", "wrong"),
    [
        (OURS + ACCELERATE_S, "ValueError: loss is not a number"),
        ("sft.yaml:3: unknown key 'sead'.\n" + ACCELERATE_S, "sft.yaml:3: unknown key 'sead'."),
        (OURS, "ValueError: loss is not a number"),
        ("", "no output"),
    ],
)
def test_a_stage_that_fails_is_named_with_its_own_last_words(
    printed: str, wrong: str, bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = tmp_path / "python"
    python.write_text(f"#!/usr/bin/env bash\ncat <<'END'\n{printed}END\nexit 1\n")
    python.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(python))
    with pytest.raises(StepFailed) as caught:
        align(bundle(), tmp_path / "log")
    assert str(caught.value) == f"align.sh ended with 1: {wrong}"
    assert (tmp_path / "log").read_text() == printed


def test_the_script_aligns_the_checkpoint(bundle: Bundle, tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM

    out = bundle()
    align(out, tmp_path / "log")
    assert len(json.loads((out / "aligned" / "sft" / "steps.json").read_text())) >= 1
    assert AutoModelForCausalLM.from_pretrained(out / "aligned" / "dpo", dtype="auto").num_parameters() > 0
