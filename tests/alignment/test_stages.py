"""SFT and DPO for one step in this process, and what their files may hold."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest
import tiny
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from workbench.alignment.dpo import dpo
from workbench.alignment.sft import sft
from workbench.alignment.stage import answer, prompt, read_rows
from workbench.errors import DataMissing, SpecError

Bundle = Callable[..., Path]


def moved(before: Path, after: Path) -> float:
    """Largest change of any weight, and that every weight is a finite bfloat16."""
    old, new = tiny.weights_of(before), tiny.weights_of(after)
    assert new.keys() == old.keys()
    assert {tensor.dtype for tensor in new.values()} == {torch.bfloat16}
    assert all(torch.isfinite(tensor).all() for tensor in new.values())
    return max((new[name].float() - old[name].float()).abs().max().item() for name in old)


def test_sft_then_dpo_change_the_weights_and_save_models(bundle: Bundle, checkpoint: Path) -> None:
    out = bundle()
    before = tiny.hashes(checkpoint)
    sft(out / "sft.yaml")
    assert 5e-3 < moved(checkpoint, out / "aligned" / "sft") < 2e-2  # Adam's first step is lr; bfloat16 blurs it
    dpo(out / "dpo.yaml")
    assert 5e-3 < moved(out / "aligned" / "sft", out / "aligned" / "dpo") < 2e-2
    assert tiny.hashes(checkpoint) == before
    for stage in ("sft", "dpo"):
        folder = out / "aligned" / stage
        model = AutoModelForCausalLM.from_pretrained(folder, dtype="auto")
        assert model.dtype == torch.bfloat16
        assert AutoTokenizer.from_pretrained(folder).chat_template == tiny.CHATML
        losses = [entry["loss"] for entry in json.loads((folder / "steps.json").read_text()) if "loss" in entry]
        assert len(losses) == 1
        assert math.isfinite(losses[0])
    assert losses[0] == pytest.approx(math.log(2), rel=0.01)  # DPO starts at its reference


def test_rows_that_are_all_too_long_are_refused(bundle: Bundle) -> None:
    path = bundle() / "sft.yaml"
    path.write_text(path.read_text().replace("max_length: 256", "max_length: 32"))
    with pytest.raises(DataMissing, match=r"^sft\.jsonl: no row fits max_length 32\. Raise it\.$"):
        sft(path)


def test_dpo_needs_pairs(bundle: Bundle) -> None:
    out = bundle()
    rows = [json.loads(line) for line in (out / "dpo.jsonl").read_text().splitlines()]
    rows[2].pop("rejected_output")
    (out / "dpo.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (out / "dpo.yaml").write_text((out / "dpo.yaml").read_text().replace("aligned/sft", model_of(out)))
    with pytest.raises(DataMissing, match=r"^dpo\.jsonl: row row-2 has no rejected_output\. DPO needs pairs\.$"):
        dpo(out / "dpo.yaml")


def model_of(out: Path) -> str:
    return str(json.loads((out / "bundle.json").read_text())["checkpoint"])


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("seed:", "sead:", r"sft\.yaml:\d+: unknown key 'sead'\. Did you mean 'seed'\?"),
        ("lr: 0.01", "lr: fast", r"sft\.yaml:\d+: 'lr': .*\('fast'\)\. Correct the value\."),
        ("lr: 0.01", "lr: 1e-2", r"sft\.yaml:\d+: YAML reads 1e-2 as text, not as a number"),
        ("max_steps: 1", "max_steps: 0", r"'max_steps': input should be greater than 0"),
    ],
)
def test_a_stage_file_is_strict(old: str, new: str, sentence: str, bundle: Bundle) -> None:
    path = bundle() / "sft.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(SpecError, match=sentence):
        sft(path)


def test_a_stage_whose_model_is_not_there_says_what_to_run(bundle: Bundle) -> None:
    sentence = r"dpo\.yaml: model 'aligned/sft' is not there\. Run the stage before it, or correct the path\.$"
    with pytest.raises(DataMissing, match=sentence):
        dpo(bundle() / "dpo.yaml")


def test_a_stage_whose_rows_are_not_there_says_so(bundle: Bundle) -> None:
    out = bundle()
    (out / "sft.jsonl").unlink()
    with pytest.raises(DataMissing, match=r"sft\.jsonl: is not there\. Write the bundle again, or correct 'data'"):
        sft(out / "sft.yaml")


GOOD = '{"instruction": "Answer.", "input": "A note.", "output": "A finding."}'


@pytest.mark.parametrize(
    ("second", "sentence"),
    [
        ("", r"rows\.jsonl:2: is no JSON object \(.*\)\. Write one a line\.$"),
        ('{"instruction": "Answer."', r"rows\.jsonl:2: is no JSON object \(.*\)\. Write one a line\.$"),
        ("[1, 2]", r"rows\.jsonl:2: is no JSON object \(.*\)\. Write one a line\.$"),
        ('{"instruction": "A.", "input": "B."}', r"rows\.jsonl:2: needs .* as texts; output is none\. Correct it\.$"),
        (
            '{"instruction": "A.", "input": 3, "output": "C."}',
            r"rows\.jsonl:2: needs .*; input is none\. Correct it\.$",
        ),
    ],
)
def test_rows_are_checked_line_by_line(second: str, sentence: str, tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(f"{GOOD}\n{second}\n{GOOD}\n")
    with pytest.raises(DataMissing, match=sentence):
        read_rows(path)


def test_a_file_without_rows_is_refused(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text("")
    with pytest.raises(DataMissing, match=r"rows\.jsonl: holds no row\. Give at least one\.$"):
        read_rows(tmp_path / "rows.jsonl")


def test_a_row_is_a_line_and_nothing_else_is(tmp_path: Path) -> None:
    # U+2028 and U+0085 may stand in a JSON text as they are; str.splitlines() would cut the row there.
    row = {"instruction": "Answer.", "input": "One\u2028two\u0085three\x1efour", "output": "A finding."}
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(row, ensure_ascii=False) + "\n", encoding="utf-8")
    assert read_rows(path) == (row,)


def test_a_row_becomes_mediphi_s_chat() -> None:
    row = {"instruction": "Answer.", "input": "A note.", "output": "A finding."}
    assert prompt(row) == [{"role": "system", "content": "Answer."}, {"role": "user", "content": "A note."}]
    assert answer(row["output"]) == [{"role": "assistant", "content": "A finding."}]
