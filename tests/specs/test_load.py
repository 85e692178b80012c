"""Every trap of YAML and every mistake of type, as file:line: what is wrong. What to do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from workbench.errors import Problem, SpecError
from workbench.specs.common import Spec
from workbench.specs.load import Document, did_you_mean, raise_problems, read_yaml, validate


class Wheel(Spec):
    wheel: str
    sha: str
    file: str


class Folder(Spec):
    path: str


class Part(Spec):
    size: int
    rate: float = 0.5


class Whole(Spec):
    """A declaration with every shape that the real ones have."""

    name: str
    flag: bool = False
    rate: float = 0.5
    source: Folder | Wheel | None = None
    parts: list[Part] | None = None
    by_name: dict[str, Part] | None = None
    value: bool | float | list[float] = 0.5


Read = Callable[[str | bytes], list[str]]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Problems of a text, as `line: what`."""

    def problems(text: str | bytes) -> list[str]:
        (tmp_path / "x.yaml").write_bytes(text.encode() if isinstance(text, str) else text)
        document = read_yaml(tmp_path / "x.yaml", "x.yaml")
        spec = validate(document, Whole)
        assert spec is not None or document.problems
        assert {problem.file for problem in document.problems} <= {"x.yaml"}
        return [f"{problem.line}: {problem.what}" for problem in sorted(document.problems)]

    return problems


GOOD = """\
# a comment
name: "no"
flag: true
rate: 1.0e-4
source: {path: here}
parts:
  - {size: 1}
  - size: 2
    rate: 1
by_name: {a: {size: 3}}
value: [0.1, 0.2]
"""


def test_a_right_file_becomes_a_frozen_spec(tmp_path: Path, read: Read) -> None:
    assert read(GOOD) == []
    spec = validate(read_yaml(tmp_path / "x.yaml"), Whole)
    assert spec == Whole(
        name="no",
        flag=True,
        rate=0.0001,
        source=Folder(path="here"),
        parts=[Part(size=1), Part(size=2, rate=1.0)],
        by_name={"a": Part(size=3)},
        value=[0.1, 0.2],
    )
    with pytest.raises(ValidationError, match="frozen"):
        spec.name = "other"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("name: a\nrat: 0.1\n", "2: unknown key 'rat'. Did you mean 'rate'?"),
        (
            "name: a\n\nxyz: 0.1\n",
            "3: unknown key 'xyz'. Known: name, flag, rate, source, parts, by_name, value.",
        ),
        ("flag: true\n", "1: 'name' is missing. Add it."),
        ("name: a\n? [rate, flag]\n: 0.1\n", "2: a key is a list or a mapping. Write a name."),
        ("name: a\n{flag: x}: 0.1\n", "2: a key is a list or a mapping. Write a name."),
        ("name: 3\n", "1: 'name': input should be a valid string (3). Correct the value."),
        ("name: a\nrate: fast\n", "2: 'rate': input should be a valid number ('fast'). Correct the value."),
        ("name: a\nrate: '0.1'\n", "2: 'rate': input should be a valid number ('0.1'). Correct the value."),
        ("name: a\nflag: 1\n", "2: 'flag': input should be a valid boolean (1). Correct the value."),
        ("name: a\nparts: {size: 1}\n", "2: 'parts': input should be a valid list ({'size': 1}). Correct the value."),
        ("- name\n", "1: input should be a valid dictionary (['name']). Correct the value."),
        (
            f"name: [{'x' * 100}]\n",
            f"1: 'name': input should be a valid string (['{'x' * 55}...). Correct the value.",
        ),
    ],
)
def test_keys_and_types(text: str, problem: str, read: Read) -> None:
    assert read(text) == [problem]


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        (
            "name: a\nparts:\n  - size: 1\n    rat: 0.1\n  - {rate: 0.2}\n",
            ["4: unknown key 'rat'. Did you mean 'rate'?", "5: 'size' is missing. Add it."],
        ),
        ("name: a\nparts:\n  - {size: 1}\n  - 7\n", ["4: 'parts[1]': input should be a valid dictionary (7)."]),
        ("name: a\nby_name:\n  b:\n    sise: 1\n    size: 1\n", ["4: unknown key 'sise'. Did you mean 'size'?"]),
        # A union complains once: for the arm that the value resembles most, at the key's own line.
        ("name: a\nsource:\n  path: b\n  pth: c\n", ["4: unknown key 'pth'. Did you mean 'path'?"]),
        (
            "name: a\nsource:\n  wheel: b\n  file: d\n  sah: c\n",
            ["2: 'sha' is missing. Add it.", "5: unknown key 'sah'. Did you mean 'sha'?"],
        ),
        ("name: a\nsource: {wheel: b}\n", ["2: 'file' is missing. Add it.", "2: 'sha' is missing. Add it."]),
        ("name: a\nsource:\n  path: 3\n", ["3: 'path': input should be a valid string (3)."]),
        ("name: a\nsource: here\n", ["2: 'source': input should be a valid dictionary ('here')."]),
        (
            "name: a\nvalue: {filter: mlp}\n",
            [
                "2: 'value': input should be a valid boolean or a valid number or a valid list ({'filter': 'mlp'}).",
            ],
        ),
        ("name: a\nvalue: [0.1,\n  b]\n", ["3: 'value[1]': input should be a valid number ('b')."]),
    ],
)
def test_nested_mistakes_at_their_own_lines(text: str, problems: list[str], read: Read) -> None:
    assert [problem.removesuffix(" Correct the value.") for problem in read(text)] == problems


@pytest.mark.parametrize(
    ("text", "first", "second"),
    [("name: a\nrate: 0.1\nname: b\n", 1, 3), ("parts:\n  - size: 1\n    size: 2\nname: a\n", 2, 3)],
)
def test_a_key_that_stands_twice_names_both_lines(text: str, first: int, second: int, read: Read) -> None:
    key = "name" if first == 1 else "size"
    expected = f"{second}: key '{key}' stands twice (first at line {first}); YAML would keep the last. Remove one."
    assert read(text) == [expected]


@pytest.mark.parametrize(
    ("written", "better"),
    [("1e-4", "1.0e-4"), ("2.5e5", "2.5e+5"), ("1E5", "1.0e+5"), ("-3e2", "-3.0e+2"), ("1_0e-2", "1_0.0e-2")],
)
def test_an_exponent_that_yaml_reads_as_text(written: str, better: str, read: Read) -> None:
    said = f"2: YAML reads {written} as text, not as a number ('{written}'). Write {better}."
    assert read(f"name: a\nrate: {written}\n") == [said]
    assert yaml.safe_load(better) == float(written)
    assert read(f"name: '{written}'\n") == []


@pytest.mark.parametrize(
    ("word", "meant"),
    [("no", "false"), ("yes", "true"), ("on", "true"), ("off", "false"), ("No", "false"), ("ON", "true")],
)
def test_a_word_that_yaml_reads_as_a_boolean(word: str, meant: str, read: Read) -> None:
    said = f"YAML reads {word} as {meant} ({word}). Write {meant}, or quote it if text is meant."
    assert read(f"name: a\nflag: {word}\n") == [f"2: {said}"]
    assert f"1: {said}" in read(f"name: {word}\n")
    assert read(f"name: '{word}'\n") == []


@pytest.mark.parametrize("number", [".nan", ".inf", "-.inf"])
def test_an_undefined_number(number: str, read: Read) -> None:
    assert read(f"name: a\nrate: {number}\n") == [f"2: {number} is no finite number. Write a number."]


def test_types_that_no_declaration_has(read: Read) -> None:
    text = "name: 2024-01-31\nparts: !!binary aGk=\n"
    quote = "Quote it if text is meant."
    assert [line for line in read(text) if quote in line] == [
        f"1: date is no type of these files (2024-01-31). {quote}",
        f"2: bytes is no type of these files (aGk=). {quote}",
    ]


def test_text_that_only_looks_like_a_date(read: Read) -> None:
    assert read("name: 2024-13-45\n") == []


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("name: a\nparts: [1, 2\n", 3, "expected ',' or ']', but got '<stream end>'"),
        ("name: a\n\trate: 1\n", 2, "found character '\\t' that cannot start any token"),
        ("name: a\nrate: b: c\n", 2, "mapping values are not allowed here"),
        ("name: a\n---\nname: b\n", 2, "but found another document"),
        ("name: a\nrate: \x00\n", 2, "special characters are not allowed (character 0x00)"),
    ],
)
def test_not_yaml(text: str, line: int, reason: str, read: Read) -> None:
    assert read(text) == [f"{line}: is not YAML: {reason}. Check indent and quotes."]


@pytest.mark.parametrize("text", ["name: &all [*all]\n", "[" * 1000 + "]" * 1000])
def test_a_document_without_end(text: str, read: Read) -> None:
    assert read(text) == ["1: holds itself, or is nested too deep. Check its aliases (*)."]


def test_aliases_are_read(tmp_path: Path, read: Read) -> None:
    assert read("name: a\nparts:\n  - &one {size: 1}\n  - *one\n") == []
    spec = validate(read_yaml(tmp_path / "x.yaml"), Whole)
    assert spec is not None
    assert spec.parts == [Part(size=1), Part(size=1)]


@pytest.mark.parametrize("text", ["", "# only words\n", "~\n"])
def test_empty(text: str, read: Read) -> None:
    assert read(text) == ["1: is empty; a Whole is expected here. See: workbench schema"]


def test_missing_file(tmp_path: Path) -> None:
    document = read_yaml(tmp_path / "none.yaml", "none.yaml")
    assert validate(document, Whole) is None
    assert document.problems == [Problem("none.yaml", 1, "there is no such file. Check the name.")]


def test_folder_and_bytes(tmp_path: Path, read: Read) -> None:
    (problem,) = read_yaml(tmp_path, "folder").problems
    assert problem.what.startswith("cannot be read (")
    (line,) = read(b"\x80GGUF\xff")
    assert line.startswith("1: cannot be read ('utf-8' codec can't decode byte 0x80")
    assert line.endswith("Is it a YAML text file?")


@pytest.mark.parametrize(
    "payload",
    [
        "!!python/object/apply:os.mkdir ['{target}']",
        "!!python/object/apply:os.mkdir {{args: ['{target}']}}",
        "!!python/name:os.mkdir ''",
        "!!python/module:pwning ''",
        "!run '{target}'",
    ],
)
def test_tags_are_refused_and_nothing_is_run(
    payload: str, tmp_path: Path, read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "pwned"
    (tmp_path / "pwning.py").write_text(f"import os\nos.mkdir({str(target)!r})\n")
    monkeypatch.syspath_prepend(tmp_path)
    found = read("rate: 0.1\nname: " + payload.format(target=target) + "\n")
    assert any(
        line.startswith("2: tag '") and line.endswith("these files are plain data. Remove it.") for line in found
    )
    assert not target.exists()


def test_all_problems_of_all_files_in_one_error_sorted_and_once(tmp_path: Path) -> None:
    (tmp_path / "b.yaml").write_text("name: a\nrat: 1e-4\n\nflag: no\nflag: yes\n")
    (tmp_path / "a.yaml").write_text("\nparts: [{size: x}]\n")
    documents = [read_yaml(tmp_path / name, name) for name in ("b.yaml", "a.yaml", "a.yaml", "none.yaml")]
    for document in documents:
        validate(document, Whole)
    with pytest.raises(SpecError) as raised:
        raise_problems(documents)
    assert str(raised.value).splitlines() == [
        "a.yaml:2: 'name' is missing. Add it.",
        "a.yaml:2: 'size': input should be a valid integer ('x'). Correct the value.",
        "b.yaml:2: YAML reads 1e-4 as text, not as a number ('1e-4'). Write 1.0e-4.",
        "b.yaml:2: unknown key 'rat'. Did you mean 'rate'?",
        "b.yaml:4: YAML reads no as false (no). Write false, or quote it if text is meant.",
        "b.yaml:5: key 'flag' stands twice (first at line 4); YAML would keep the last. Remove one.",
        "none.yaml:1: there is no such file. Check the name.",
    ]
    assert raised.value.exit_code == 2
    assert len(raised.value.problems) == 7


def test_no_problem_no_error() -> None:
    raise_problems([Document("x.yaml")])


def test_a_path_without_a_line_has_its_parents() -> None:
    document = Document("x.yaml", lines={(): 1, ("a",): 4, ("a", 0): 5})
    assert [document.line(loc) for loc in ((), ("a",), ("a", 0, "b"), ("a", 1), ("b",))] == [1, 4, 5, 4, 1]


@pytest.mark.parametrize(
    ("words", "answer"),
    [(["rate", "name"], "Did you mean 'rate'?"), (["x", "y"], "Known: x, y."), ([], "None is declared.")],
)
def test_did_you_mean(words: list[str], answer: str) -> None:
    assert did_you_mean("rat", words) == answer
