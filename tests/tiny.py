"""Tiny models, adapters and projects that the tests of the stages share: real formats, toy sizes, made in a second."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
import yaml
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from workbench.merging.merge import merge
from workbench.merging.places import Place
from workbench.provenance import capture
from workbench.publish import publish
from workbench.specs.merge import MergeSpec
from workbench.specs.methods import METHODS
from workbench.specs.project import load_expert
from workbench.store import Store
from workbench.train import training_plan

REPOSITORY = Path(__file__).parents[1]
HIDDEN, LAYERS = 32, 2
SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
CHATML = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def tokenizer() -> PreTrainedTokenizerFast:
    """A token a byte, three special tokens, ChatML."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    symbols = [*SPECIAL, *alphabet]
    bpe = Tokenizer(models.BPE(vocab={symbol: i for i, symbol in enumerate(symbols)}, merges=[]))
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    made = PreTrainedTokenizerFast(
        tokenizer_object=bpe, bos_token=SPECIAL[0], eos_token=SPECIAL[2], pad_token=SPECIAL[0], unk_token=SPECIAL[0]
    )
    made.chat_template = CHATML
    return made


def config(**changes: Any) -> LlamaConfig:
    """Two layers of width 32, four heads over two key-value heads, tied embeddings."""
    fields: dict[str, Any] = {
        "vocab_size": len(SPECIAL) + 256,
        "hidden_size": HIDDEN,
        "intermediate_size": 64,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 4096,
        "tie_word_embeddings": True,
        "bos_token_id": 0,
        "eos_token_id": 2,
        "pad_token_id": 0,
    }
    return LlamaConfig(**(fields | changes))


def llama(seed: int, **changes: Any) -> LlamaForCausalLM:
    """A random model. Norms are random too: weights of one would hide a merge that leaves them alone."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = LlamaForCausalLM(config(**changes)).eval()
        for name, parameter in model.named_parameters():
            if "norm" in name:
                parameter.data += 0.1 * torch.randn(parameter.shape)
    return model


def save_model(folder: Path, seed: int = 0, dtype: torch.dtype = torch.float32, **changes: Any) -> Path:
    """A random model in the transformers layout: weights, config, tokenizer, chat template, generation config."""
    model = llama(seed, **changes).to(dtype)
    model.generation_config = GenerationConfig(bos_token_id=0, eos_token_id=2, pad_token_id=0, max_new_tokens=16)
    model.save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return folder


def save_expert(base: Path, folder: Path, seed: int, size: float = 0.02) -> Path:
    """The base with a random task vector of standard deviation `size` added, float32."""
    shutil.copytree(base, folder)
    generator = torch.Generator().manual_seed(seed)
    weights = weights_of(base)
    moved = {n: t + size * torch.randn(t.shape, generator=generator) for n, t in sorted(weights.items())}
    save_file(moved, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def save_adapter(base: Path, folder: Path, seed: int = 0, rank: int = 2, **changes: Any) -> Path:
    """A LoRA adapter by PEFT on all linear layers, with a B that is not zero."""
    from peft import LoraConfig, get_peft_model

    fields: dict[str, Any] = {
        "r": rank,
        "lora_alpha": 4,
        "target_modules": "all-linear",
        "task_type": "CAUSAL_LM",
    }
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        lora = LoraConfig(**(fields | changes))
        model = get_peft_model(LlamaForCausalLM.from_pretrained(base, dtype=torch.float32), lora)
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.data = 0.1 * torch.randn(parameter.shape)
        model.save_pretrained(folder)
    return folder


def weights_of(folder: Path) -> dict[str, torch.Tensor]:
    """All tensors of a checkpoint."""
    found: dict[str, torch.Tensor] = {}
    for file in sorted(folder.glob("*.safetensors")):
        found |= load_file(file)
    return found


def hashes(folder: Path) -> dict[str, str]:
    """sha256 of every file below a folder."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def edit_json(path: Path, **changes: Any) -> None:
    """Change keys of a JSON file."""
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def shard(folder: Path) -> None:
    """Turn a one-file checkpoint into two shards with an index."""
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    names = sorted(weights)
    halves = {"model-00001-of-00002.safetensors": names[::2], "model-00002-of-00002.safetensors": names[1::2]}
    for file, part in halves.items():
        save_file({name: weights[name] for name in part}, folder / file, metadata={"format": "pt"})
    places = {name: file for file, part in halves.items() for name in part}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": places}))


def recipe(method: str, weights: Sequence[Any] = (0.5, 0.5), t: Any = 0.5, **fields: Any) -> MergeSpec:
    """A merge of experts "0", "1", ... in float32, as many as there are weights and the method takes.

    A base the method needs comes last. Where the method has no weights, they only count; where it has a `t`, it gets
    `t`. Random methods get a seed. `each` adds to every expert.
    """
    row = METHODS[method]
    each = fields.pop("each", {})
    count = len(weights) if row.others[1] is None else min(len(weights), row.others[1])
    entries = [
        {"model": str(i), "parameters": {**({"weight": weight} if "weight" in row.each else {}), **each}}
        for i, weight in enumerate(weights[:count])
    ]
    raw: dict[str, Any] = {"merge_method": method, "models": entries, "out_dtype": "float32"}
    if row.base == "required":
        raw["base_model"] = str(count)
    if "t" in row.shared:
        raw["parameters"] = {"t": t}
    if row.seeded:
        raw["seed"] = 7
    return MergeSpec.model_validate(raw | fields)


def inputs(method: str, experts: Sequence[Path], base: Path) -> list[Path]:
    """The folders that `recipe` counts."""
    row = METHODS[method]
    return [*experts[: row.others[1]], *([base] if row.base == "required" else [])]


def merged(spec: MergeSpec, models: Sequence[Path], out: Path) -> dict[str, torch.Tensor]:
    """Merge folders in the order of `recipe`, the last one also giving config and tokenizer; its weights."""
    out.mkdir(parents=True)
    merge(out.name, spec, [Place(folder.name, folder.name, folder) for folder in models], out, ("CC0",))
    return weights_of(out)


def copy(folder: Path, to: Path) -> Path:
    """A copy of a folder, to be broken."""
    return Path(shutil.copytree(folder, to))


def copy_tasks(to: Path, *names: str) -> Path:
    """Some task folders of the project with the files they share."""
    tasks = REPOSITORY / "benchmarks" / "tasks"
    to.mkdir(parents=True)
    for shared in ("_mini.yaml", "jsonl.py"):
        shutil.copyfile(tasks / shared, to / shared)
    for name in names:
        shutil.copytree(tasks / name, to / name, ignore=shutil.ignore_patterns("__pycache__"))
    return to


def task_module(task: str, name: str = "utils") -> ModuleType:
    """The module beside a task's YAML, which lm-eval loads by its place, too; a new one each time."""
    file = REPOSITORY / "benchmarks" / "tasks" / task / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"{task}_{name}", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


DECLARED = {
    "experts/tiny.yaml": """\
kind: base
source: {path: ../models/tiny}
dtype: float32
licence: CC0
""",
    "experts/notes.yaml": """\
kind: expert
base: tiny
domain: notes
corpora:
  - {source: icd10cm, format: code_lines, max_tokens: 1000}
lora: {r: 2, alpha: 4.0}
train: {lr: 1.0e-3}
seed: 1
""",
    "experts/codes.yaml": """\
kind: expert
base: tiny
domain: codes
corpora:
  - {source: icd10cm, format: code_lines, max_tokens: 2000}
lora: {r: 3, alpha: 3.0}
train: {lr: 1.0e-3}
seed: 2
""",
    "merges/small.yaml": """\
run: small
base: tiny
experts: [notes, codes]
candidates:
  slerp-{expert}:
    axes: {expert: experts}
    merge_method: slerp
    models: [{model: base}, {model: "{expert}"}]
    parameters: {t: 0.5}
  sum:
    merge_method: task_arithmetic
    models: {each: best-of slerp-*, parameters: {weight: 1.0}}
score: {validation: tiny_validation, test: tiny_test, limit: 4, dtype: float32}
handoff:
  execute: false
  seed: 5
  sft: {lr: 1.0e-2, data: sft.jsonl, max_steps: 1}
  dpo: {lr: 1.0e-2, data: dpo.jsonl, max_steps: 1}
""",
    "benchmarks/suites/tiny_validation.yaml": """\
kind: suite
role: validation
tasks:
  - {task: mini_nli_validation, name: mini_nli, metric: acc, chance: 0.333}
  - {task: mini_question_summary_validation, name: meqsum, metric: rouge1, sources: [meqsum]}
""",
    "benchmarks/suites/tiny_test.yaml": """\
kind: suite
role: test
tasks:
  - {task: mini_nli, name: mini_nli, metric: acc, chance: 0.333}
  - {task: mini_question_summary, name: meqsum, metric: rouge1, sources: [meqsum]}
""",
}


def save_project(root: Path) -> Path:
    """A project with a tiny base, two shipped experts and three candidates; its run file.

    The data of one of the two tasks are on no machine.
    """
    for name, text in DECLARED.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    base = save_model(root / "models" / "tiny")
    copy_tasks(root / "benchmarks" / "tasks", "mini_nli", "mini_question_summary")
    for name, rank in (("notes", 2), ("codes", 3)):
        ship(root, name, save_adapter(base, root / "made" / name, seed=rank, rank=rank))
    return root / "merges" / "small.yaml"


def save_one_task_project(root: Path) -> Path:
    """The same project with suites of one task, which is at hand."""
    file = save_project(root)
    for role, task in (("validation", "mini_nli_validation"), ("test", "mini_nli")):
        suite = {"kind": "suite", "role": role, "tasks": [{"task": task, "name": "mini_nli", "metric": "acc"}]}
        (root / "benchmarks" / "suites" / f"tiny_{role}.yaml").write_text(yaml.safe_dump(suite))
    return file


def searching(file: Path, searches: dict[str, Any], limit: int = 8, select: dict[str, Any] | None = None) -> Path:
    """A run file beside `file` that has these searches and one candidate, and no hand-off."""
    raw = yaml.safe_load(file.read_text())
    del raw["handoff"]
    raw["score"]["limit"] = limit
    raw["select"] = select or {}
    raw["searches"] = searches
    models = {"each": "experts", "parameters": {"weight": 1.0}}
    raw["candidates"] = {"sum": {"merge_method": "task_arithmetic", "models": models}}
    made = file.with_name("searching.yaml")
    made.write_text(yaml.safe_dump(raw))
    return made


def ship(root: Path, name: str, adapter: Path) -> None:
    """Publish an adapter as if it had been trained from its declaration."""
    project, spec, base = load_expert(root / "experts" / f"{name}.yaml")
    _, step = training_plan(project, name, spec, base)
    store = Store(root / "made" / "runs")
    with store.writing(step.kind, name, step.id) as temp:
        shutil.copytree(adapter, temp, dirs_exist_ok=True)
        (temp / "training.json").write_text(json.dumps({"corpora": []}))
        artifact = store.commit(temp, step.kind, name, step.id, step.spec, capture())
    publish(artifact, spec, root / "experts" / name)
