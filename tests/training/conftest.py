"""A tiny base and a corpus of numbered documents, in place of the sources that training reads."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

import tiny

from workbench.data.example import Example, Format
from workbench.data.formats import FORMATS


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.save_model(tmp_path_factory.mktemp("trained") / "base", dtype=torch.bfloat16)


@pytest.fixture
def corpora(monkeypatch: pytest.MonkeyPatch) -> None:
    """`icd10cm` becomes 20 plain documents of 20 bytes, `mts-dialog` ten prompts of 10 with completions of 15."""
    documents = [Example("", f"Document number {n:03d}.") for n in range(20)]
    pairs = [Example(f"Prompt {n:02d}\n", f"Completion {n:03d}.") for n in range(10)]
    monkeypatch.setitem(FORMATS, ("icd10cm", "code_lines"), Format(lambda seed: documents))
    monkeypatch.setitem(FORMATS, ("mts-dialog", "dialogue_to_note"), Format(lambda seed: pairs))
