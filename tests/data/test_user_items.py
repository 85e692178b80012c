"""Files of the user's own: both kinds of JSON, CSV, and every way in which they can be broken, cut or of other make."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from workbench.data.items import csv_items, json_items, require, split
from workbench.errors import UserError

ITEMS = [{"a": "one\u2028line", "b": 1}, {"a": "two", "b": 2}, {"a": "Ödem", "b": 3}]


def written(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    path = folder / "items"
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(ITEMS),
        json.dumps(ITEMS, indent=1, ensure_ascii=False),
        "\n" + json.dumps(ITEMS),
        "\n".join(json.dumps(item) for item in ITEMS),
        "\n\n".join(json.dumps(item, ensure_ascii=False) for item in ITEMS) + "\n",
        "\r\n".join(json.dumps(item, ensure_ascii=False) for item in ITEMS),
        "\ufeff" + "\n".join(json.dumps(item) for item in ITEMS),
    ],
)
def test_arrays_and_lines_give_the_same_items(text: str, tmp_path: Path) -> None:
    assert json_items(written(tmp_path, text)) == ITEMS


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('{"a": 1}\n{"a": 2\n{"a": 3}', "line 2, column 8: no JSON (Expecting ',' delimiter)"),
        ('{"a": 1}\n\nsecret words', "line 3, column 1: no JSON (Expecting value)"),
        ('[{"a": 1},\n {"a": 2},\n {"a": 3', "line 3, column 9: no JSON (Expecting ',' delimiter)"),
    ],
)
def test_a_cut_file_is_refused_at_its_line(text: str, place: str, tmp_path: Path) -> None:
    path = written(tmp_path, text)
    with pytest.raises(UserError) as caught:
        json_items(path)
    assert str(caught.value) == f"{path}, {place}. The file was cut or changed: get or build it again."


@pytest.mark.parametrize("text", ['{"a": 1}\n"a string"', '[{"a": 1}, null]'])
def test_what_is_no_object_is_refused(text: str, tmp_path: Path) -> None:
    path = written(tmp_path, text)
    with pytest.raises(UserError) as caught:
        json_items(path)
    assert str(caught.value) == f"{path}, item 2: is no JSON object. Use the file as it was published or built."


def test_an_empty_file_has_no_items(tmp_path: Path) -> None:
    assert json_items(written(tmp_path, "\n")) == []
    assert csv_items(written(tmp_path, "a,b\n")) == []


def test_csv_fields_keep_their_line_breaks(tmp_path: Path) -> None:
    path = written(tmp_path, '\ufeffa,b\r\n"one\nline, ""quoted""",1\r\npage\x0cbreak,2\r\n')
    assert csv_items(path) == [{"a": 'one\nline, "quoted"', "b": "1"}, {"a": "page\x0cbreak", "b": "2"}]


def test_a_quote_that_is_never_closed_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, 'a,b\n"' + "word " * 30_000)
    with pytest.raises(UserError) as caught:
        csv_items(path)
    assert str(caught.value) == (
        f"{path}: no CSV (field larger than field limit (131072)). The file was cut or changed: get it again."
    )


def test_another_encoding_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, "a,b\nÖdem,1\n", "latin-1")
    for read in (csv_items, json_items):
        with pytest.raises(UserError) as caught:
            read(path)
        assert str(caught.value) == f"{path}: byte 4 is not UTF-8. Save the file as UTF-8."


def test_a_missing_column_is_named_with_those_that_are_there() -> None:
    path = Path("f.csv")
    require(path, ITEMS, ["a", "b"], filled=["a", "b"])
    with pytest.raises(UserError) as caught:
        require(path, [{"a": "x", "c": "y"}], ["a", "b"])
    assert str(caught.value) == ("f.csv, item 1: has no 'b', only 'a', 'c'. Use the file as it was published or built.")


def test_a_row_that_ends_early_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, "a,b\n1,2\n3\n")
    with pytest.raises(UserError, match=r", item 2: has no 'b', only 'a'\. "):
        require(path, csv_items(path), ["a", "b"])


@pytest.mark.parametrize("empty", ["", "  \n", " - ."])
def test_a_text_without_a_word_is_refused_where_it_must_be_filled(empty: str) -> None:
    items = [{"a": "x", "b": "y"}, {"a": "x", "b": empty}]
    require(Path("f"), items, ["a", "b"], filled=["a"])
    with pytest.raises(UserError) as caught:
        require(Path("f"), items, ["a", "b"], filled=["b"])
    assert str(caught.value) == "f, item 2: 'b' is empty. Fill it in, or take the item out."


def test_the_split_is_clues_own() -> None:
    items = [{"n": n} for n in range(50)]
    state = random.getstate()
    random.seed(1)  # as in CLUE's eval/*.py
    order = list(items)
    random.shuffle(order)
    random.setstate(state)
    assert split(Path("f"), items, 3, 50) == {"fewshot": order[:3], "test": order[3:]}
    assert items == [{"n": n} for n in range(50)]


@pytest.mark.parametrize(("n", "at_least", "least"), [(49, 50, 50), (3, 0, 4), (0, 0, 4)])
def test_too_few_items_are_refused_with_both_numbers(n: int, at_least: int, least: int) -> None:
    with pytest.raises(UserError) as caught:
        split(Path("f"), [{"n": i} for i in range(n)], 3, at_least)
    assert str(caught.value) == (
        f"f: {n} items, but at least {least} are expected: a part of the file is missing. Get or build it again; if it "
        "is a set of your own, score it by a task that includes this one and says "
        f"`metadata: {{version: 1.0, at_least: {n}}}`."
    )
