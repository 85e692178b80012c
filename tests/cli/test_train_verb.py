"""`workbench train` on a tiny model: base against tuned, where the adapter lies, what stays in the store."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tiny
from rich.console import Console

import workbench.publish as shipping
from workbench.cli.compared import NOTHING, compared
from workbench.data.example import held_out

Command = Callable[..., Any]

MINE = """\
kind: expert
base: tiny
domain: numbers
corpora:
  - {file: numbers.jsonl, licence: CC0-1.0}
lora: {r: 2, alpha: 4.0}
train: {lr: 1.0e-2, max_steps: 2, batch_size: 2, warmup_steps: 0, packing: false, max_length: 64}
seed: 1
"""


@pytest.fixture
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a tiny base and an expert in a folder of its own, as working directory."""
    root = tmp_path / "project"
    own = root / "experts" / "own"
    own.mkdir(parents=True)
    (root / "experts" / "tiny.yaml").write_text(tiny.DECLARED["experts/tiny.yaml"])
    tiny.save_model(root / "models" / "tiny")
    (own / "mine.yaml").write_text(MINE)
    (own / "numbers.jsonl").write_text("".join(json.dumps({"text": f"Number {n}."}) + "\n" for n in range(200)))
    monkeypatch.chdir(root)
    return root


KEPT = sum(held_out("numbers.jsonl", str(n)) for n in range(1, 201))
ROWS = ["loss, nats a token", "deviation between documents", "perplexity", "samples a second", "documents", "tokens"]


def rows(out: str) -> dict[str, list[str]]:
    """The numbers of the printed table, by row."""
    lines = [line.strip() for line in out.splitlines()]
    return {row: line.removeprefix(row).split() for row in ROWS for line in lines if line.startswith(f"{row} ")}


def test_base_and_tuned_are_compared_and_the_adapter_lies_beside_its_declaration(
    inside: Path, workbench: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = workbench("train", "experts/own/mine.yaml")
    assert said.code == 0, said.err
    shipped = inside / "experts" / "own" / "mine"
    assert "✔ experts/own/mine · id " in said.out
    training = json.loads((shipped / "manifest.json").read_text())["training"]
    before, after = training["held_out"], training["passes"][0]["held_out"]
    found = rows(said.out)
    assert list(found) == ROWS
    assert [line.split()[-2:] for line in said.out.splitlines() if "held-out documents" in line] == [["base", "tuned"]]
    assert found["loss, nats a token"] == [f"{one['loss']:.4f}" for one in (before, after)]
    assert found["deviation between documents"] == [f"{one['deviation']:.4f}" for one in (before, after)]
    assert found["perplexity"] == [f"{math.exp(one['loss']):.2f}" for one in (before, after)]
    assert found["documents"] == [str(KEPT), str(KEPT)]
    assert KEPT > 1
    assert before["loss"] != after["loss"]
    monkeypatch.setattr("workbench.train.train_adapter", lambda *_: pytest.fail("it was trained again"))
    again = workbench("train", "experts/own/mine.yaml")
    assert (again.code, rows(again.out)) == (0, found)


def test_without_held_out_documents_a_line_says_so(inside: Path, workbench: Command) -> None:
    file = inside / "experts" / "own" / "numbers.jsonl"
    few = next(n for n in range(1, 200) if held_out("numbers.jsonl", str(n))) - 1
    assert few >= 2
    file.write_text("".join(file.read_text().splitlines(keepends=True)[:few]))
    said = workbench("train", "experts/own/mine.yaml")
    assert said.code == 0, said.err
    assert NOTHING in said.words
    assert rows(said.out) == {}


@pytest.mark.parametrize(
    ("change", "most", "why"),
    [
        (("lora: {r: 2, alpha: 4.0}", "full: true"), 8_000_000, "a full model: it stays in the store"),
        (("seed: 1", "seed: 2"), 100, "at most 8 MB are shipped. To ship it, lower lora.r"),
    ],
)
def test_what_is_not_shipped_stays_in_the_store(
    change: tuple[str, str], most: int, why: str, inside: Path, workbench: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shipping, "MAX_BYTES", most)
    (inside / "experts" / "own" / "mine.yaml").write_text(MINE.replace(*change))
    said = workbench("train", "experts/own/mine.yaml")
    assert said.code == 0, said.err
    assert why in said.words
    assert "runs/store/adapter/" in said.out
    assert list(rows(said.out)) == ROWS
    assert not (inside / "experts" / "own" / "mine").exists()


def printed(training: dict[str, Any]) -> str:
    console = Console(width=100)
    with console.capture() as capture:
        for part in compared(training):
            console.print(part)
    return capture.get()


def measured(loss: float, documents: int, tokens: int) -> dict[str, Any]:
    return {"loss": loss, "deviation": 0.25, "documents": documents, "tokens": tokens, "seconds": 2.0}


def test_passes_have_a_column_each() -> None:
    passes = [{"held_out": measured(2.0, 8, 900)}, {"held_out": measured(1.0, 8, 900)}]
    said = printed({"held_out": measured(3.0, 8, 900), "passes": passes})
    assert said.splitlines()[0].split() == ["held-out", "documents", "base", "pass", "1", "pass", "2"]
    assert rows(said) == {
        "loss, nats a token": ["3.0000", "2.0000", "1.0000"],
        "deviation between documents": ["0.2500", "0.2500", "0.2500"],
        "perplexity": ["20.09", "7.39", "2.72"],
        "samples a second": ["4.00", "4.00", "4.00"],
        "documents": ["8", "8", "8"],
        "tokens": ["900", "900", "900"],
    }


def test_a_record_from_before_measuring_is_no_error() -> None:
    assert "No document is held out" in printed({"steps": 3, "corpora": []})
