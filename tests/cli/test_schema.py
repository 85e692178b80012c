"""The JSON Schemas accept what ships and catch a typo, so that an editor is of use."""

from __future__ import annotations

import argparse
import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from workbench.cli.schema import SCHEMAS, main
from workbench.specs.load import read_yaml

REPOSITORY = Path(__file__).parents[2]
Schemas = dict[str, Draft202012Validator]


def kind_of(path: Path) -> str:
    if path.parent.name == "merges":
        return "run"
    return str(read_yaml(path).value["kind"])


SHIPPED = [
    path for folder in ("merges", "experts", "benchmarks/suites") for path in (REPOSITORY / folder).glob("*.yaml")
]

TYPOS = {
    "run": ("experts", "expert"),
    "expert": ("corpora", "corpus"),
    "base": ("licence", "license"),
    "suite": ("role", "rôle"),
    "merge": ("merge_method", "method"),
}

MERGE = {
    "merge_method": "dare_ties",
    "models": [{"model": "a", "parameters": {"weight": [0.1, 1], "density": [{"filter": "mlp", "value": 0.5}]}}],
    "base_model": "b",
    "seed": 7,
}


@pytest.fixture(scope="module")
def schemas(tmp_path_factory: pytest.TempPathFactory) -> Schemas:
    """What `workbench schema` writes, by kind of file."""
    out = tmp_path_factory.mktemp("schema")
    assert main(argparse.Namespace(out=out)) == 0
    found = {}
    for path in out.iterdir():
        schema = json.loads(path.read_text())
        Draft202012Validator.check_schema(schema)
        assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
        found[path.name.removesuffix(".schema.json")] = Draft202012Validator(schema)
    return found


def example(kind: str) -> dict[str, Any]:
    if kind == "merge":
        return copy.deepcopy(MERGE)
    value: dict[str, Any] = read_yaml(next(path for path in SHIPPED if kind_of(path) == kind)).value
    return value


def test_one_schema_a_kind_of_file(schemas: Schemas) -> None:
    assert schemas.keys() == SCHEMAS.keys() == TYPOS.keys()


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_what_ships_is_accepted(path: Path, schemas: Schemas) -> None:
    assert list(schemas[kind_of(path)].iter_errors(read_yaml(path).value)) == []


def test_every_kind_ships() -> None:
    assert {kind_of(path) for path in SHIPPED} == SCHEMAS.keys() - {"merge"}


@pytest.mark.parametrize("kind", SCHEMAS)
def test_a_typo_is_rejected(kind: str, schemas: Schemas) -> None:
    value = example(kind)
    assert schemas[kind].is_valid(value)
    right, wrong = TYPOS[kind]
    assert not schemas[kind].is_valid({**value, wrong: value[right]})
    assert not schemas[kind].is_valid({key: part for key, part in value.items() if key != right})


@pytest.mark.parametrize(
    ("kind", "path", "value"),
    [
        ("run", ("score", "limit"), 0),
        ("run", ("score", "batchsize"), 8),
        ("run", ("experts",), []),
        ("run", ("base",), "../elsewhere"),
        ("expert", ("train", "lr"), "1e-4"),
        ("expert", ("corpora", 0, "licence"), "MIT"),
        ("base", ("source", "sha256"), "short"),
        ("suite", ("tasks", 0, "chance"), 25),
        ("suite", ("role",), "train"),
        ("merge", ("dtype",), "int8"),
        ("merge", ("models", 0, "weight"), 0.5),
    ],
)
def test_a_nested_mistake_is_rejected(kind: str, path: tuple[str | int, ...], value: object, schemas: Schemas) -> None:
    document: Any = example(kind)
    at = document
    for part in path[:-1]:
        at = at[part]
    at[path[-1]] = value
    assert not schemas[kind].is_valid(document)


def test_the_hint_for_editors_points_from_merges(
    workbench: Callable[..., Any], project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project)
    hints = [line for line in workbench("schema").out.splitlines() if line.startswith("# yaml-language-server")]
    assert hints == ["# yaml-language-server: $schema=../runs/schema/run.schema.json"]
    out = project / "a [b] folder whose name is longer than a terminal of eighty columns can show in one line"
    lines = workbench("schema", "-o", str(out)).out.splitlines()
    assert f"wrote {out}/run.schema.json" in lines
    place = Path(lines[-1].removeprefix("# yaml-language-server: $schema="))
    assert (project / "merges" / place).is_file()
