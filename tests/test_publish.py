"""A trained adapter becomes a shipped one: whole, small, and saying what it was made of."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import workbench.publish
from workbench.errors import StepFailed, UserError
from workbench.plan import Step, adapter_step, base_step
from workbench.publish import publish
from workbench.records import Provenance
from workbench.specs.models import ExpertSpec
from workbench.specs.project import Project, load_expert
from workbench.steps import take_shipped
from workbench.store import Artifact, Store, write_json

WEIGHTS = b"adapter weights"


@pytest.fixture
def spec(project: Path) -> ExpertSpec:
    return load_expert(project / "experts" / "code.yaml")[1]


@pytest.fixture
def step(project: Path) -> Callable[[], Step]:
    """The step that trains the `code` expert, as its declaration is now."""

    def adapter() -> Step:
        _, spec, base = load_expert(project / "experts" / "code.yaml")
        return adapter_step("code", spec, base_step("tiny", base, project / "experts" / "tiny.yaml"), Project(project))

    return adapter


@pytest.fixture
def trained(step: Callable[[], Step], tmp_path: Path) -> Callable[..., Artifact]:
    """The committed adapter of the tiny project's `code` expert, with what peft and the training leave beside it."""

    def commit(weights: bytes = WEIGHTS) -> Artifact:
        adapter = step()
        source: dict[str, Any] = {"source": "icd10cm", "licence": "public domain", "attribution": "NCHS", "tokens": 9}
        store = Store(tmp_path / "runs")
        with store.writing("adapter", "code", adapter.id) as temp:
            (temp / "adapter_model.safetensors").write_bytes(weights)
            write_json(temp / "adapter_config.json", {"base_model_name_or_path": "/home/someone/base", "r": 2})
            write_json(temp / "training.json", {"steps": 3, "corpora": [source]})
            (temp / "README.md").write_text("peft's card")
            provenance = Provenance("c0ffee", False, "3.11", {}, "cpu", "workbench train x", "2025-01-01", ())
            return store.commit(temp, "adapter", "code", adapter.id, adapter.spec, provenance)

    return commit


def test_weights_config_and_manifest(trained: Callable[..., Artifact], spec: ExpertSpec, project: Path) -> None:
    artifact = trained()
    out = publish(artifact, spec, project / "experts" / "code")
    assert sorted(path.name for path in out.iterdir()) == [
        "adapter_config.json",
        "adapter_model.safetensors",
        "manifest.json",
    ]
    assert (out / "adapter_model.safetensors").read_bytes() == WEIGHTS
    assert json.loads((out / "adapter_config.json").read_text()) == {"base_model_name_or_path": "tiny", "r": 2}
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["id"] == artifact.manifest["id"]
    assert manifest["sha256"] == hashlib.sha256(WEIGHTS).hexdigest()
    assert [manifest[key] for key in ("expert", "domain", "base")] == ["code", "codes", "tiny"]
    assert manifest["sources"] == [{"source": "icd10cm", "licence": "public domain", "attribution": "NCHS"}]
    assert manifest["spec"]["seed"] == 1
    assert manifest["provenance"]["commit"] == "c0ffee"
    assert "/home/someone" not in "".join(path.read_text() for path in out.iterdir())


def test_an_older_adapter_is_replaced(trained: Callable[..., Artifact], spec: ExpertSpec, project: Path) -> None:
    out = project / "experts" / "code"
    out.mkdir()
    (out / "stale.bin").write_text("old")
    publish(trained(), spec, out)
    assert not (out / "stale.bin").exists()
    assert [path.name for path in out.parent.iterdir() if path.name.startswith(".")] == []


def test_too_large_to_ship(
    trained: Callable[..., Artifact], spec: ExpertSpec, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = project / "experts" / "code"
    monkeypatch.setattr(workbench.publish, "MAX_BYTES", len(WEIGHTS))
    publish(trained(), spec, out)
    (out / "manifest.json").write_text("kept")
    monkeypatch.setattr(workbench.publish, "MAX_BYTES", len(WEIGHTS) - 1)
    with pytest.raises(UserError, match=r"^code: the adapter has 0\.0 MB; at most 8 MB are shipped\. Lower lora\.r\.$"):
        publish(trained(), spec, out)
    assert (out / "manifest.json").read_text() == "kept"


def test_the_limit_is_what_the_message_says() -> None:
    assert workbench.publish.MAX_BYTES == 8_000_000


def test_a_run_takes_what_was_published_until_the_declaration_or_the_file_changes(
    trained: Callable[..., Artifact],
    step: Callable[[], Step],
    spec: ExpertSpec,
    project: Path,
    tmp_path: Path,
    change: Callable[[str, str, str], None],
) -> None:
    shipped = publish(trained(), spec, project / "experts" / "code")
    (tmp_path / "out").mkdir()
    take_shipped(step(), shipped, tmp_path / "out")
    assert (tmp_path / "out" / "adapter_model.safetensors").read_bytes() == WEIGHTS
    (shipped / "adapter_model.safetensors").write_bytes(b"other weights")
    with pytest.raises(StepFailed, match=r"adapter_model\.safetensors is not the file of its manifest\."):
        take_shipped(step(), shipped, tmp_path / "out")
    change("experts/code.yaml", "seed: 1", "seed: 2")
    with pytest.raises(StepFailed, match=r"Run: workbench train experts/code\.yaml, or take the change back\."):
        take_shipped(step(), shipped, tmp_path / "out")
