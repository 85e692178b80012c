"""Training for a few steps: what is written, seeds, checkpoints and resuming."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from workbench.progress import silent
from workbench.specs.models import ExpertSpec
from workbench.training import passes as module
from workbench.training.cpu_loss import label_loss
from workbench.training.train import TrainingRecord, train

pytestmark = pytest.mark.usefixtures("corpora")

WEIGHTS = "adapter_model.safetensors"


def expert(**changes: Any) -> ExpertSpec:
    """Two steps an epoch of ten documents each; seven steps at most."""
    train = {
        "epochs": 4.0,
        "max_steps": 7,
        "lr": 1e-2,
        "warmup_steps": 1,
        "batch_size": 10,
        "max_length": 64,
        "packing": False,
        "save_steps": 3,
    }
    raw: dict[str, Any] = {
        "kind": "expert",
        "base": "tiny",
        "domain": "numbers",
        "corpora": [{"source": "icd10cm", "format": "code_lines"}],
        "lora": {"r": 2, "alpha": 4.0},
        "train": train | changes.pop("train", {}),
        "seed": 3,
    }
    return ExpertSpec.model_validate(raw | changes)


def trained(spec: ExpertSpec, base: Path, out: Path, progress: Any = silent) -> TrainingRecord:
    return train(spec, out.parent, base, out, out.with_name(f"{out.name}.checkpoints"), progress)


def test_a_few_steps_write_an_adapter_and_its_record(base: Path, tmp_path: Path) -> None:
    before = tiny.hashes(base)
    record = trained(expert(train={"max_steps": 3}), base, tmp_path / "out")
    assert (record.steps, record.passes[0].epochs, record.tokens) == (3, 1.5, 630)  # with an end of text each
    assert record.trainable_parameters == sum(t.numel() for t in load_file(tmp_path / "out" / WEIGHTS).values())
    weights = load_file(tmp_path / "out" / WEIGHTS)
    assert {tensor.dtype for tensor in weights.values()} == {torch.bfloat16}
    assert all(tensor.abs().max() > 0 for name, tensor in weights.items() if "lora_B" in name)
    assert {name.split(".")[-3] for name in weights} == {
        "q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"
    }  # fmt: skip
    written = json.loads((tmp_path / "out" / "training.json").read_text())
    assert written["steps"] == 3
    assert written["corpora"][0]["documents"] == 20
    assert json.loads((tmp_path / "out" / "adapter_config.json").read_text())["lora_alpha"] == 4
    assert not (tmp_path / "out.checkpoints").exists()
    assert tiny.hashes(base) == before


def test_the_seed_decides(base: Path, tmp_path: Path) -> None:
    short = {"train": {"max_steps": 2}}
    trained(expert(**short), base, tmp_path / "first")
    torch.rand(5)
    trained(expert(**short), base, tmp_path / "again")
    trained(expert(**short, seed=4), base, tmp_path / "other")
    first, again, other = ((tmp_path / name / WEIGHTS).read_bytes() for name in ("first", "again", "other"))
    assert first == again
    assert first != other


def test_a_killed_training_goes_on_at_its_checkpoint(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches: list[Any] = []

    def counted(*arguments: Any) -> Any:
        batches.append(arguments)
        return label_loss(*arguments)

    monkeypatch.setattr(module, "label_loss", counted)
    whole: list[int] = []
    trained(expert(), base, tmp_path / "whole", lambda done, total, note="": whole.append(int(done)))

    def killed(done: float, total: float, note: str = "") -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trained(expert(), base, tmp_path / "out", killed)
    checkpoints = tmp_path / "out.checkpoints"
    assert (checkpoints / "pass-1" / "checkpoint-3" / "trainer_state.json").is_file()
    (checkpoints / "pass-1" / "checkpoint-6").mkdir()  # cut short while it was written
    seen: list[tuple[float, float, str]] = []
    assert len(batches) == 7 + 5
    record = trained(expert(), base, tmp_path / "out", lambda *call: seen.append(call))
    assert (record.steps, len(batches)) == (7, 7 + 5 + 4)
    assert [(done, total) for done, total, _ in seen] == [(5, 7)] == [(done, 7) for done in whole]
    assert seen[0][2].startswith("loss ")
    assert [point.step for point in record.passes[0].loss_curve] == [5]
    ours, theirs = load_file(tmp_path / "out" / WEIGHTS), load_file(tmp_path / "whole" / WEIGHTS)
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    assert not checkpoints.exists()


@pytest.mark.parametrize("packing", [True, False])
def test_only_completions_are_learned_if_asked(packing: bool, base: Path, tmp_path: Path) -> None:
    corpora = [{"source": "mts-dialog", "format": "dialogue_to_note"}]
    results = []
    for completion_only in (True, False):
        out = tmp_path / str(completion_only)
        setting = {"max_steps": 5, "packing": packing, "completion_only": completion_only, "batch_size": 2}
        record = trained(expert(corpora=corpora, train=setting), base, out)
        results.append((record.passes[0].loss_curve[0].loss, (out / WEIGHTS).read_bytes()))
    assert results[0] != results[1]
    assert all(0 < loss < 7 for loss, _ in results)


def test_the_loss_for_cpus_trains_as_trl_s_own(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from trl import SFTTrainer

    spec = expert(train={"max_steps": 5, "gradient_accumulation": 2, "batch_size": 5})
    ours = trained(spec, base, tmp_path / "ours")
    monkeypatch.setattr(module, "_trainer_class", lambda: SFTTrainer)
    theirs = trained(spec, base, tmp_path / "theirs")
    assert ours.passes[0].loss_curve[0].loss == pytest.approx(
        theirs.passes[0].loss_curve[0].loss, abs=0.02
    )  # both in bfloat16


def test_full_training_writes_a_model_of_its_own(base: Path, tmp_path: Path) -> None:
    record = trained(expert(lora=None, full=True, train={"max_steps": 2}), base, tmp_path / "out")
    assert record.steps == 2
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "out", dtype="auto")
    assert model.dtype == torch.bfloat16
    assert record.trainable_parameters == model.num_parameters()
    assert AutoTokenizer.from_pretrained(tmp_path / "out").chat_template == tiny.CHATML
    found, origin = tiny.weights_of(tmp_path / "out"), tiny.weights_of(base)
    assert found.keys() == origin.keys()
    assert not any(torch.equal(found[name], origin[name]) for name in origin)


def test_full_training_keeps_updates_that_bfloat16_would_lose(base: Path, tmp_path: Path) -> None:
    # Norms are about 1, where bfloat16's step is 2**-8; forty updates of 2e-4 are more than that, one is not.
    setting = {"max_steps": 40, "epochs": 40.0, "lr": 4e-4, "warmup_steps": 0, "save_steps": 100}
    trained(expert(lora=None, full=True, train=setting), base, tmp_path / "out")
    found, origin = tiny.weights_of(tmp_path / "out"), tiny.weights_of(base)
    assert not torch.equal(found["model.norm.weight"], origin["model.norm.weight"])


def test_global_random_states_are_given_back(base: Path, tmp_path: Path) -> None:
    def states() -> tuple[object, ...]:
        return random.getstate(), np.random.get_state()[1].tobytes(), torch.get_rng_state().numpy().tobytes()

    random.random(), np.random.rand(), torch.rand(1)  # not the state that a seed gives
    before = states()
    trained(expert(train={"max_steps": 1}), base, tmp_path / "out")
    assert states() == before
