"""Training by several processes, for real, on CPUs: what `accelerate launch` starts on GPUs, torchrun starts here."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import tiny

LAUNCH = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
EXPERT = """\
kind: expert
base: tiny
domain: numbers
corpora:
  - {file: own.jsonl, licence: CC0}
lora: {r: 2, alpha: 4.0}
train: {lr: 1.0e-2, warmup_steps: 0, batch_size: 4, packing: false, save_steps: 2}
then:
  - {lr: 1.0e-2, warmup_steps: 0, batch_size: 4, packing: false}
seed: 1
"""


def test_two_processes_train_one_adapter(tmp_path: Path) -> None:
    experts = tmp_path / "experts"
    experts.mkdir()
    tiny.save_model(tmp_path / "models" / "tiny")
    (experts / "tiny.yaml").write_text(tiny.DECLARED["experts/tiny.yaml"])
    (experts / "numbers.yaml").write_text(EXPERT)
    texts = [{"text": f"Document number {n:03d} of this corpus."} for n in range(64)]
    (experts / "own.jsonl").write_text("".join(json.dumps(text) + "\n" for text in texts))
    command = [*LAUNCH, "-m", "workbench", "train", "experts/numbers.yaml", "--runs", "runs"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    manifest = json.loads((experts / "numbers" / "manifest.json").read_text())
    first, second = manifest["training"]["passes"]
    documents = manifest["training"]["corpora"][0]["documents"]
    assert first["steps"] == second["steps"] == -(-documents // 8)  # four documents in each of two processes
    before, after = manifest["training"]["held_out"], second["held_out"]
    assert before["documents"] + documents == 64
    assert after["loss"] < before["loss"]
    assert [path.name for path in (tmp_path / "runs" / "store" / "adapter").iterdir()] == [
        f"numbers-{manifest['id'][:12]}"
    ]
    assert not list((tmp_path / "runs" / "store").glob("checkpoints/*"))
