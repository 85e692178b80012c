"""`workbench score` with another model beside it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tiny

Command = Callable[..., Any]


def test_a_model_against_another_and_against_itself(
    workbench: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tiny.save_project(tmp_path / "project").parents[1])
    asked = ("score", "notes", "--suite", "tiny_test", "--limit", "6", "--dtype", "float32")
    said = workbench(*asked, "--against", "tiny")
    assert said.code == 0, said.err
    assert "notes on tiny_test" in said.out
    assert "notes minus tiny, paired over the same items" in said.out
    [line] = [line.split() for line in said.out.split("paired")[1].splitlines() if line.split()[:1] == ["mini_nli"]]
    assert line[1] == "acc"
    assert line[-1] in ("6", "better", "worse")

    same = workbench(*asked, "--against", "notes")
    assert "mean +0.0 ±0.0; better on 0, worse on 0 of 1 task (beyond 1.96 standard errors)" in same.out


def test_a_model_that_is_not_there_is_named(
    workbench: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tiny.save_project(tmp_path / "project").parents[1])
    said = workbench("score", "notes", "--suite", "tiny_test", "--against", "tini")
    assert said.code == 2
    assert "tini: neither a folder with a config.json nor declared in experts/. Did you mean 'tiny'?" in said.err
