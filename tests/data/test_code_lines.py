"""ICD-10-CM as text to read: all codes, in seeded order, and never a question of the benchmark."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any

import pytest

from workbench.data.formats import examples
from workbench.data.icd10cm import code_lines, codes, description

FORMATS = ("heading_lines", "four_character_lines", "code_lines")

UTILS = Path(__file__).parents[2] / "benchmarks" / "tasks" / "icd10cm" / "utils.py"


@pytest.fixture(scope="module")
def questions() -> list[dict[str, Any]]:
    """Every row of the benchmark, of all levels and both splits."""
    spec = importlib.util.spec_from_file_location("icd10cm_utils", UTILS)
    assert spec is not None
    assert spec.loader is not None
    utils = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(utils)
    return [row for level in ("easy", "medium", "hard") for split in utils.splits(level).values() for row in split]


def test_the_lines_hold_no_question_of_the_benchmark(questions: list[dict[str, Any]]) -> None:
    text = "\n".join(e.prompt + e.completion for format in FORMATS for e in examples("icd10cm", format, 11))
    assert len(questions) > 100
    stems = {re.sub(r"code \S+ in", "code X in", row["question"]) for row in questions}
    assert stems == {"What is the description of the medical code X in ICD10CM?"}
    for trace in ("What is", "medical code", "ICD10CM", "Question:", "Answer:", "?"):
        assert trace not in text
    for row in questions:  # no line sets a right option beside the wrong ones
        assert "\n".join(row["options"]) not in text


@pytest.mark.parametrize("format", FORMATS)
def test_an_example_is_one_code_and_its_description(format: str) -> None:
    found = examples("icd10cm", format, 11)
    assert len({e.prompt for e in found}) > 1000
    for example in found:
        code = re.fullmatch(r"Code ([0-9A-Z.-]+):", example.prompt)
        assert code is not None, example.prompt
        assert example.completion == f" {description(code[1])}"


def test_every_code_has_one_line_whatever_the_seed() -> None:
    lines = code_lines("all", 1)
    assert lines != code_lines("all", 2)
    assert sorted(lines) == sorted(code_lines("all", 2)) == sorted(f"{code}: {description(code)}" for code in codes())
    assert "E11.9: Type 2 diabetes mellitus without complications" in lines
    assert all(re.fullmatch(r"[A-Z][0-9A-Z]{2}(\.[0-9A-Z]{1,4})?: \S.*", line) for line in lines)


def test_the_depths_hold_what_they_say() -> None:
    deep = set(code_lines("all", 1))
    four = code_lines("four_characters", 1)
    assert set(four) < deep
    assert all(re.match(r"[A-Z][0-9A-Z]{2}\.[0-9A-Z]: ", line) for line in four)
    headings = code_lines("headings", 1)
    assert "E11: Type 2 diabetes mellitus" in headings
    assert any(re.match(r"[A-Z]\d[0-9A-Z]-[A-Z]\d[0-9A-Z]: ", line) for line in headings)  # a block
    assert not set(headings) & set(four)
