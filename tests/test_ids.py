"""Ids are a published format: order, kind, version and inputs count; spelling of a mapping does not."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from workbench.ids import canonical_json, content_id, file_sha256, folder_sha256


def test_canonical_json_sorts_keys_and_keeps_lists() -> None:
    assert canonical_json({"b": [2, 1], "a": {"d": None, "c": "é"}}) == r'{"a":{"c":"\u00e9","d":null},"b":[2,1]}'


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_no_id_of_an_undefined_number(number: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json({"weight": number})


def test_content_id_is_the_sha256_of_its_canonical_text() -> None:
    text = '{"inputs":["x","y"],"kind":"merge","spec":{"t":0.5},"version":1}'
    assert content_id("merge", 1, {"t": 0.5}, ("x", "y")) == hashlib.sha256(text.encode()).hexdigest()


def test_everything_in_a_step_counts() -> None:
    ids = [
        content_id("merge", 1, {"t": 0.5}, ["x", "y"]),
        content_id("score", 1, {"t": 0.5}, ["x", "y"]),
        content_id("merge", 2, {"t": 0.5}, ["x", "y"]),
        content_id("merge", 1, {"t": 0.25}, ["x", "y"]),
        content_id("merge", 1, {"t": "0.5"}, ["x", "y"]),
        content_id("merge", 1, {"t": 0.5}, ["y", "x"]),
        content_id("merge", 1, {"t": 0.5}, ["xy"]),
        content_id("merge", 1, {"t": 0.5}, ["x"]),
    ]
    assert len(set(ids)) == len(ids)


def test_file_sha256(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"tensor" * 100_000)
    assert file_sha256(tmp_path / "a") == hashlib.sha256(b"tensor" * 100_000).hexdigest()


def test_folder_sha256_reads_names_and_bytes_but_not_python_caches(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "utils.py").write_text("one")
    first = folder_sha256(tmp_path)
    (tmp_path / "sub" / "__pycache__").mkdir()
    (tmp_path / "sub" / "__pycache__" / "utils.pyc").write_text("cache")
    assert folder_sha256(tmp_path) == first
    (tmp_path / "sub" / "utils.py").write_text("two")
    changed = folder_sha256(tmp_path)
    (tmp_path / "sub" / "utils.py").write_text("one")
    assert folder_sha256(tmp_path) == first
    (tmp_path / "sub" / "utils.py").rename(tmp_path / "utils.py")
    assert len({first, changed, folder_sha256(tmp_path)}) == 3


def test_folder_sha256_does_not_depend_on_the_place(tmp_path: Path) -> None:
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "task.yaml").write_text("task: nli\n")
    assert folder_sha256(tmp_path / "here") == folder_sha256(tmp_path / "there")
