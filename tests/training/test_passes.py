"""Passes one after another: what each reads and leaves, held-out loss, and endings that are not planned."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tiny
import torch
from safetensors.torch import load_file, save_file

from workbench.data.example import Example, Format, TaskText, held_out
from workbench.data.formats import FORMATS
from workbench.errors import StepFailed, UserError
from workbench.progress import silent
from workbench.specs.models import ExpertSpec
from workbench.training import passes as module
from workbench.training.train import TrainingRecord, train

WEIGHTS = "adapter_model.safetensors"
PIT: dict[str, Any] = {
    "train": {"reads": "tasks", "lr": 1e-2, "warmup_steps": 0, "batch_size": 8, "packing": False, "save_steps": 2},
    "then": [
        {
            "reads": "tasks_then_document", "epochs": 2.0, "lr": 3e-2, "warmup_steps": 0, "batch_size": 8,
            "packing": False, "save_steps": 2,
        }
    ],
}  # fmt: skip


@pytest.fixture(autouse=True, scope="module")
def documents() -> Iterator[list[Example]]:
    """Sixty documents with a summary each; a few of them are held out."""
    keys = [n for n in range(1000) if not held_out("icd10cm", str(n))][:57]
    keys += [n for n in range(1000) if held_out("icd10cm", str(n))][:3]
    found = [
        Example("", f"Document number {n:03d}.", (TaskText("summary", "", f"Number {n}."),), key=str(n)) for n in keys
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(FORMATS, ("icd10cm", "code_lines"), Format(lambda seed: found))
        yield found


@pytest.fixture(scope="module")
def whole(
    base: Path, documents: list[Example], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, TrainingRecord]:
    """The two passes trained to the end without a break."""
    out = tmp_path_factory.mktemp("whole") / "out"
    return out, trained(expert(), base, out)


def expert(**changes: Any) -> ExpertSpec:
    raw: dict[str, Any] = {
        "kind": "expert", "base": "tiny", "domain": "numbers", "lora": {"r": 2, "alpha": 4.0}, "seed": 3,
        "corpora": [{"source": "icd10cm", "format": "code_lines"}], **PIT,
    }  # fmt: skip
    return ExpertSpec.model_validate(raw | changes)


def trained(spec: ExpertSpec, base: Path, out: Path, progress: Any = silent) -> TrainingRecord:
    return train(spec, out.parent, base, out, out.with_name(f"{out.name}.checkpoints"), progress)


def test_two_phases_read_what_they_should_and_the_held_out_loss_falls(
    whole: tuple[Path, TrainingRecord], documents: list[Example]
) -> None:
    kept = [one for one in documents if held_out("icd10cm", one.key)]
    out, record = whole
    first, second = record.passes
    n = len(documents) - len(kept)
    assert (first.reads, first.sequences, second.reads, second.sequences) == ("tasks", n, "tasks_then_document", n)
    assert (first.epochs, second.epochs) == (1, 2)
    assert record.steps == first.steps + second.steps == -(-n // 8) * 3 == 24
    assert record.held_out is not None
    assert record.held_out.documents == len(kept)
    assert second.held_out is not None
    assert second.held_out.loss < record.held_out.loss - 0.1
    assert second.held_out.perplexity < record.held_out.perplexity
    written = json.loads((out / "training.json").read_text())
    assert written["passes"][1]["held_out"]["loss"] == second.held_out.loss


def test_base_and_passes_are_measured_on_the_same_tokens_whatever_each_reads(base: Path, tmp_path: Path) -> None:
    """The first pass reads four tokens a sequence, the second whole documents."""
    first = {**PIT["train"], "reads": "document", "max_length": 4}
    record = trained(expert(train=first, then=[{**first, "max_length": 64}]), base, tmp_path / "out")
    looks = [record.held_out, *(one.held_out for one in record.passes)]
    assert len({look.tokens for look in looks if look}) == 1
    assert all(look and look.tokens > 4 * look.documents for look in looks)


def test_the_second_pass_goes_on_from_the_first(whole: tuple[Path, TrainingRecord], base: Path, tmp_path: Path) -> None:
    out, both = whole
    one = trained(expert(then=[]), base, tmp_path / "one")
    assert one.passes[0].loss_curve == both.passes[0].loss_curve
    assert one.passes[0].held_out is not None
    assert both.passes[0].held_out is not None
    assert one.passes[0].held_out.loss == both.passes[0].held_out.loss
    assert (tmp_path / "one" / WEIGHTS).read_bytes() != (out / WEIGHTS).read_bytes()


class Killed(BaseException):
    """As a signal would end it: nothing catches it."""


@pytest.mark.parametrize("after", [7, 14])
def test_killed_at_any_step_it_ends_with_the_same_weights(
    after: int, whole: tuple[Path, TrainingRecord], base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, finished = whole
    own, asked = module.label_loss, 0

    def loss(*arguments: Any) -> Any:
        nonlocal asked
        asked += 1
        if asked == after:
            raise Killed
        return own(*arguments)

    monkeypatch.setattr(module, "label_loss", loss)
    with pytest.raises(Killed):
        trained(expert(), base, tmp_path / "out")
    for kept in (tmp_path / "out.checkpoints").rglob("checkpoint-*/seconds.json"):
        kept.write_text("1000.0")
    record = trained(expert(), base, tmp_path / "out")
    assert record.seconds > 1000
    for one, other in zip(record.passes, finished.passes, strict=True):
        assert [point.step for point in one.loss_curve] == [point.step for point in other.loss_curve]
    ours, theirs = load_file(tmp_path / "out" / WEIGHTS), load_file(out / WEIGHTS)
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    assert record.steps == finished.steps
    assert not (tmp_path / "out.checkpoints").exists()


def test_full_training_goes_through_passes_too(base: Path, tmp_path: Path) -> None:
    record = trained(expert(lora=None, full=True), base, tmp_path / "out")
    assert record.held_out is not None
    assert record.passes[1].held_out is not None
    assert record.passes[1].held_out.loss < record.held_out.loss
    assert {tensor.dtype for tensor in tiny.weights_of(tmp_path / "out").values()} == {torch.bfloat16}


def test_a_pass_that_finds_no_task_data_says_so_before_it_trains(base: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"pass 1 \('reads: tasks'\) finds no task data \(relations\)"):
        trained(expert(train=PIT["train"] | {"kinds": ["relations"]}), base, tmp_path / "out")


def test_long_sequences_are_counted(base: Path, tmp_path: Path) -> None:
    how = PIT["train"] | {"reads": "document", "max_length": 15, "max_steps": 1}
    record = trained(expert(train=how, then=[]), base, tmp_path / "out")
    assert record.passes[0].cut == record.passes[0].sequences
    split = trained(expert(train=how | {"packing": "split"}, then=[]), base, tmp_path / "split")
    assert split.passes[0].cut == 0


def test_a_loss_that_is_no_number_stops_and_keeps_the_last_good_checkpoint(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = module.label_loss
    asked = 0

    def broken(*arguments: Any) -> Any:
        nonlocal asked
        asked += 1
        return own(*arguments) * (float("nan") if asked == 6 else 1.0)

    monkeypatch.setattr(module, "label_loss", broken)
    with pytest.raises(StepFailed, match=r"the training loss became nan at step 5\. .*Lower 'lr'"):
        trained(expert(), base, tmp_path / "out")
    folder = tmp_path / "out.checkpoints" / "pass-1"
    assert sorted(path.name for path in folder.glob("checkpoint-*")) == ["checkpoint-2", "checkpoint-4"]
    assert not (tmp_path / "out").exists()


def test_a_checkpoint_of_broken_weights_is_not_kept(tmp_path: Path) -> None:
    for step, value in ((2, 1.0), (4, float("nan"))):
        folder = tmp_path / f"checkpoint-{step}"
        folder.mkdir()
        save_file({"a": torch.full((3,), value)}, folder / WEIGHTS)
    module._drop_broken(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-2"]


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory: you tried"),
    ],
)
def test_short_memory_names_the_settings_to_lower(
    error: RuntimeError, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: Any) -> Any:
        raise error

    monkeypatch.setattr(module, "label_loss", full)
    with pytest.raises(StepFailed, match=r"out of memory\..*'batch_size' \(now 8\).*'max_length' \(now 512\)"):
        trained(expert(), base, tmp_path / "out")


def test_an_early_stop_keeps_the_best(base: Path, tmp_path: Path) -> None:
    how = PIT["train"] | {
        "reads": "document", "lr": 30.0, "schedule": "constant", "epochs": 20.0, "stop": {"every": 2, "patience": 1}
    }  # fmt: skip
    record = trained(expert(train=how, then=[]), base, tmp_path / "out")
    assert record.steps < 20
    assert record.passes[0].held_out is not None
