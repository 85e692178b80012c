"""A tiny base with three experts of it, made once; tests copy what they break."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

import tiny


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.save_model(tmp_path_factory.mktemp("models") / "base")


@pytest.fixture(scope="session")
def experts(base: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("experts")
    return [tiny.save_expert(base, folder / name, seed) for seed, name in enumerate(("notes", "codes", "guides"), 1)]
