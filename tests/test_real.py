"""The whole chain on real weights: SmolLM2-135M, the shipped experts, mergekit, lm-eval, TRL. Slow, and run in CI."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from workbench.cli.main import run

PROJECT = Path(__file__).resolve().parent.parent

RUN = """
run: real
base: smollm2-135m
experts: [medcode, clinical]
candidates:
  slerp-{expert}:
    axes: {expert: experts}
    merge_method: slerp
    models: [{model: base}, {model: "{expert}"}]
    parameters: {t: 0.5}
  dare-ties:
    merge_method: dare_ties
    seed: 7
    models: {each: best-of slerp-*, parameters: {weight: 0.5, density: 0.5}}
score: {validation: mini_validation, test: mini_test, limit: 2}
handoff:
  seed: 5
  sft: {lr: 1.0e-4, data: sft.jsonl, max_steps: 1, batch_size: 2, max_length: 256}
  dpo: {lr: 1.0e-4, data: dpo.jsonl, max_steps: 1, batch_size: 1, max_length: 256}
"""

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A project of its own with the real declarations, adapters and tasks; its run has been walked once."""
    root = tmp_path_factory.mktemp("real")
    for name in ("experts", "benchmarks"):
        shutil.copytree(PROJECT / name, root / name)
    (root / "merges").mkdir()
    (root / "merges" / "real.yaml").write_text(RUN)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        assert run(["run", "real"]) == 0
        yield root


def test_every_step_is_done_and_a_second_start_skips_all(project: Path) -> None:
    outcomes = json.loads((project / "runs/real/outcomes.json").read_text())
    assert {one["outcome"] for one in outcomes} == {"done"}
    assert run(["run", "real"]) == 0
    again = json.loads((project / "runs/real/outcomes.json").read_text())
    assert len(again) == len(outcomes)
    assert {one["outcome"] for one in again} == {"skipped"}


def test_the_board_has_every_model_and_labels_what_is_shortened(project: Path) -> None:
    board = (project / "runs/real/leaderboard.md").read_text()
    for model in ("base", "medcode", "clinical", "slerp-medcode", "slerp-clinical", "dare-ties", "aligned"):
        assert model in board
    assert "shortened run: 1 SFT + 1 DPO steps" in board
    assert "the first 2 items" in board


def test_a_merge_of_real_weights_loads_and_speaks(project: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    (folder,) = project.glob("runs/store/merge/dare-ties-*")
    model = AutoModelForCausalLM.from_pretrained(folder, dtype="auto")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert model.dtype == torch.bfloat16
    assert model.lm_head.weight is model.model.embed_tokens.weight
    prompt = tokenizer.apply_chat_template([{"role": "user", "content": "What is asthma?"}], tokenize=False)
    ids = tokenizer(prompt, return_tensors="pt")
    assert model.generate(**ids, max_new_tokens=4, do_sample=False).shape[1] > ids["input_ids"].shape[1]


def test_alignment_changed_the_chosen_weights(project: Path) -> None:
    from safetensors.torch import load_file

    selection = json.loads((project / "runs/real/selection.json").read_text())
    (aligned,) = project.glob("runs/store/align/aligned-*")
    (chosen,) = project.glob(f"runs/store/merge/{selection['model']}-*")
    before, after = load_file(chosen / "model.safetensors"), load_file(aligned / "model.safetensors")
    assert before.keys() == after.keys()
    assert any(not before[name].equal(after[name]) for name in before)
    assert [step for step in json.loads((aligned / "steps.json").read_text()) if "rewards/margins" in step]


def test_packed_log_probabilities_are_those_of_hflm(project: Path) -> None:
    """On real weights in float32: same choices' log-probabilities within 1e-3, whatever is packed beside them."""
    import torch
    from lm_eval.models.huggingface import HFLM
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from workbench.scoring.packed import PackedScorer

    (folder,) = project.glob("runs/store/expert/medcode-*")
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    texts = [
        (context, choice)
        for context in ("Question: what does insulin do?\nAnswer:", "E11.9:", "The chest radiograph shows")
        for choice in (" It lowers blood glucose.", " no", " a left lower lobe consolidation", " Type 2 diabetes")
    ]
    requests = [(text, tokenizer(text[0])["input_ids"], tokenizer(text[1])["input_ids"]) for text in texts]
    packed, plain = (
        scorer(pretrained=model, tokenizer=tokenizer, batch_size=4)._loglikelihood_tokens(requests, disable_tqdm=True)
        for scorer in (PackedScorer, HFLM)
    )
    for ours, theirs in zip(packed, plain, strict=True):
        assert ours[0] == pytest.approx(float(theirs[0]), abs=1e-3)
        assert ours[1] == bool(theirs[1])
