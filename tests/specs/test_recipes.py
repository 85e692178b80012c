"""The recipes of related systems: each loads, and says what the system's publication says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from workbench.errors import SpecError
from workbench.plan import adapter_step, base_step
from workbench.specs.models import FileCorpus
from workbench.specs.project import Project, load_expert

REPOSITORY = Path(__file__).parents[2]
RECIPES = REPOSITORY / "experts" / "recipes"
Change = Callable[[str, str, str], None]

PUBLISHED: dict[str, dict[str, Any]] = {
    "medswin": {  # MedSwin/Finetuning, finetune.py
        "lora.r": 16, "lora.alpha": 32.0, "lora.dropout": 0.05, "lora.quantized": None,
        "lora.targets": ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
        "train.template": "instruction", "train.completion_only": True, "train.max_length": 2048,
        "train.batch_size": 1, "train.gradient_accumulation": 16, "train.lr": 2e-4, "train.schedule": "linear",
        "train.epochs": 3.0, "train.stop.every": 200, "train.stop.patience": 3, "train.packing": False, "seed": 42,
    },
    "medical-rationales": {  # ChidiOkoene/METEORA_Med-Reraker
        "lora.r": 16, "lora.alpha": 32.0, "lora.dropout": 0.05, "lora.quantized": "nf4",
        "lora.targets": ["q_proj", "k_proj", "v_proj", "o_proj"],
        "train.template": "query", "train.completion_only": False, "train.max_length": 1024, "train.batch_size": 2,
        "train.gradient_accumulation": 4, "train.lr": 2e-4, "train.epochs": 3.0, "train.packing": False, "seed": 42,
    },
    "medico-mistral": {  # SNOWTEAM/medico-mistral, its card
        "full": True, "lora": None, "train.reads": "document", "train.template": "plain", "train.max_length": 4096,
        "train.corpora": ["pubmed-abstracts", "pmc-oa-rct-ccby", "openstax-health"],
        "train.gradient_checkpointing": True, "then.0.gradient_checkpointing": True,
        "then.0.corpora": ["data/medical-instructions.jsonl"], "then.0.template": "instruction",
    },
    "clinical-info-corrector": {  # alphaaico/clinical-info-corrector-1B, its card
        "train.template": "chat", "train.completion_only": True, "train.max_length": 2048, "full": False,
    },
    "pit-original": {  # Jiang et al. 2024, section 3 and appendix
        "full": True, "train.reads": "tasks_and_documents", "train.kinds": ["qa"], "train.completion_only": True,
        "train.epochs": 3.0, "train.lr": 3e-5, "train.weight_decay": 0.1, "train.schedule": "cosine",
        "train.warmup_steps": 0, "train.packing": False,
        "then.0.reads": "document", "then.0.epochs": 10.0, "then.0.lr": 3e-5, "then.0.weight_decay": 0.1,
    },
    "explainer": {  # MediPhi, section 3.1.2 and table 6
        "train.reads": "document", "train.epochs": 2.0, "train.schedule": "cosine", "train.lr": 1e-4,
        "train.neftune_alpha": 5.0, "train.packing": "split", "train.completion_only": False,
    },
}  # fmt: skip
"""Settings that the systems' own publications state, by recipe."""


def at(value: Any, path: str) -> Any:
    for key in path.split("."):
        value = value[int(key)] if key.isdecimal() else value[key]
    return value


def test_every_recipe_is_in_the_table() -> None:
    assert {path.stem for path in RECIPES.glob("*.yaml")} == PUBLISHED.keys()


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_recipe_has_the_settings_that_are_published(name: str) -> None:
    _, spec, _ = load_expert(RECIPES / f"{name}.yaml")
    found = spec.model_dump()
    assert {path: at(found, path) for path in PUBLISHED[name]} == PUBLISHED[name]


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_recipe_loads_from_its_own_folder(name: str) -> None:
    project, spec, base = load_expert(RECIPES / f"{name}.yaml")
    assert (project.root, project.home) == (REPOSITORY, RECIPES)
    assert spec.base == "smollm2-135m"
    files = [corpus for corpus in spec.corpora if isinstance(corpus, FileCorpus)]
    assert all((RECIPES / corpus.file).is_file() and corpus.licence == "CC0-1.0" for corpus in files)
    step = adapter_step(name, spec, base_step(spec.base, base, project.model_file(spec.base)), project)
    assert step.options["home"] == RECIPES


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_recipe_says_first_what_differs(name: str) -> None:
    lines = (RECIPES / f"{name}.yaml").read_text().splitlines()
    comment = " ".join(line[2:] for line in lines[: next(i for i, s in enumerate(lines) if not s.startswith("#"))])
    assert "The same: " in comment
    assert "Different: the base (theirs is " in comment


def test_the_readme_names_every_recipe_and_the_data_s_state() -> None:
    text = (RECIPES / "README.md").read_text()
    assert [name for name in PUBLISHED if f"`{name}.yaml`" not in text] == []
    assert [path.name for path in (RECIPES / "data").iterdir() if f"`{path.name}`" not in text] == []
    assert "**Synthetic, reviewed by no clinician**" in text
    assert "CC0" in text


DECLARED = """\
kind: expert
base: tiny
domain: mine
corpora:
  - {file: mine.jsonl, licence: mine}
lora: {r: 2, alpha: 4.0}
train: {lr: 1.0e-3}
seed: 1
"""


def test_a_file_is_looked_up_beside_the_declaration(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
    declared = project / "experts" / "own" / "mine.yaml"
    declared.parent.mkdir()
    declared.write_text(DECLARED)
    (project / "experts" / "mine.jsonl").write_text('{"text": "not this one"}\n')
    with pytest.raises(SpecError) as raised:
        load_expert(declared)
    assert str(raised.value) == (
        "experts/own/mine.yaml:5: 'mine.jsonl' is no file in experts/own/. Put it there, or correct its name."
    )
    (declared.parent / "mine.jsonl").write_text('{"text": "this one"}\n')
    assert load_expert(declared)[0].home == declared.parent


def test_an_expert_of_a_run_is_at_home_in_experts(project: Path) -> None:
    assert Project(project).home == project / "experts"
    assert load_expert(project / "experts" / "code.yaml")[0].home == project / "experts"
