"""The whole chain on real weights: SmolLM2-135M, the shipped experts, merges, lm-eval, TRL. Slow, and run in CI."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import safe_open

from workbench.cli.main import run
from workbench.scoring.harness import subset
from workbench.specs.methods import METHODS

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

import agreement
import oracle

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
score: {validation: few_validation, test: few, limit: 2}
handoff:
  seed: 5
  sft: {lr: 1.0e-4, data: sft.jsonl, max_steps: 1, batch_size: 2, max_length: 256}
  dpo: {lr: 1.0e-4, data: dpo.jsonl, max_steps: 1, batch_size: 1, max_length: 256}
"""

FEW = """
kind: suite
role: {role}
tasks:
  - {{task: mini_nli{form}, name: mini_nli, metric: acc, chance: 0.333}}
  - {{task: mini_radiology_qa{form}, name: mini_radiology_qa, metric: rouge1}}
  - {{task: icd10cm{form}, name: icd10cm, metric: acc_mutual_info, chance: 0.25}}
"""
"""Of every kind of task one: the twelve of the mini suite take a minute a model."""

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A project of its own with the real declarations, adapters and tasks; its run has been walked once."""
    root = tmp_path_factory.mktemp("real")
    for name in ("experts", "benchmarks"):
        shutil.copytree(PROJECT / name, root / name)
    for role, form in (("test", ""), ("validation", "_validation")):
        (root / "benchmarks" / "suites" / f"few{form}.yaml").write_text(FEW.format(role=role, form=form))
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
    assert "2 items of every task" in board


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


def test_items_score_as_under_plain_lm_eval(project: Path, tmp_path: Path) -> None:
    """Three tasks, as `benchmarks/agreement.py` compares all of them."""
    (base,) = (project / "runs/store/base").glob("[!.]*")
    names = ["mini_error_detection", "mini_radiology_qa", "icd10cm_easy"]
    samples = {name: subset(name, size, 3) for name, size in agreement.available(names).items()}
    plain, ours = agreement.theirs(base, samples, tmp_path), agreement.ours(base, samples, 3)
    assert plain.keys() == ours.keys() == set(names)
    for name, items in plain.items():
        assert items.keys() == ours[name].keys() == set(samples[name])
        for index, item in items.items():
            assert list(agreement.differences(item, ours[name][index])) == []


TENSORS = (
    "model.layers.0.self_attn.k_proj.weight",
    "model.layers.15.mlp.down_proj.weight",
    "model.layers.29.self_attn.q_proj.weight",
    "model.layers.7.input_layernorm.weight",
)
SETTINGS: dict[str, dict[str, Any]] = {
    "breadcrumbs": {"density": 0.8, "gamma": 0.05},
    "breadcrumbs_ties": {"density": 0.8, "gamma": 0.05},
    "slerp": {"t": 0.3},
    "sce": {"select_topk": 0.4},
}


@pytest.mark.parametrize("method", [name for name, row in METHODS.items() if row.kernel])
def test_real_weights_merge_as_mergekit_merges_them(project: Path, method: str) -> None:
    """The shipped experts on the base: at most one bfloat16 ulp apart, unless an elected sign hangs on a last bit."""
    (base,) = (project / "runs/store/base").glob("[!.]*/model.safetensors")
    experts = sorted((project / "runs/store/expert").glob("[!.]*/model.safetensors"))
    row = METHODS[method]
    count = min(2, row.others[1] or 2)
    given = {"weight": [0.3, 0.9][:count], "density": 0.5, **SETTINGS.get(method, {})}
    far, elements = 0, 0
    for name in TENSORS:
        with safe_open(base, "pt") as weights:
            origin = weights.get_tensor(name)
        models = []
        for expert in experts[:count]:
            with safe_open(expert, "pt") as weights:
                models.append(weights.get_tensor(name))
        shared, each = oracle.defaults(method, count, **given)
        about = origin if row.base == "required" else None
        wanted = oracle.theirs(method, name, about, models, shared, each)
        found = oracle.ours(method, oracle.group(name, about, models), shared, each)
        far += int(((oracle.ulps(found, wanted) > 1) & (np.abs(found - wanted) > 1e-8)).sum())
        elements += len(wanted)
    print(f"{method}: {far} of {elements} elements more than one bfloat16 ulp apart")
    assert far <= elements * 1e-5
