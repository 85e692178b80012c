"""Sweeps, references and their order. What a merge may hold is in test_merge_spec.py."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from workbench.specs.expand import Merge, expand
from workbench.specs.load import read_yaml, validate
from workbench.specs.run import RunSpec

HEAD = "run: r\nbase: tiny\nexperts: [code, notes]\nscore: {validation: v, test: t}\ncandidates:\n"
FIRST = HEAD.count("\n") + 1
"""Line of the first candidate."""

SLERP = """\
slerp-{expert}-{t}:
  axes: {expert: experts, t: [0.25, 0.5]}
  merge_method: slerp
  models: [{model: base}, {model: "{expert}"}]
  parameters: {t: "{t}"}
"""

A_PARAMETER = "input should be a valid boolean or a valid number or a valid integer or a valid list"

Expand = Callable[[str], tuple[list[Merge], list[str]]]


@pytest.fixture
def expanded(tmp_path: Path) -> Expand:
    """Merges of some candidates, and the problems as `line: what`, lines counted from the first candidate."""

    def merges(candidates: str) -> tuple[list[Merge], list[str]]:
        (tmp_path / "run.yaml").write_text(HEAD + textwrap.indent(candidates, "  "))
        document = read_yaml(tmp_path / "run.yaml")
        run = validate(document, RunSpec)
        found = [] if run is None else expand(run, document)[0]
        problems = sorted({(problem.line - FIRST + 1, problem.what) for problem in document.problems})
        return found, [f"{line}: {what}" for line, what in problems]

    return merges


def task_arithmetic(name: str, *models: str) -> str:
    entries = ", ".join(f'{{model: "{model}", parameters: {{weight: 1.0}}}}' for model in models)
    return f"{name}:\n  merge_method: task_arithmetic\n  models: [{entries}]\n"


def test_cross_product_in_the_order_of_the_axes(expanded: Expand) -> None:
    merges, problems = expanded(SLERP)
    assert problems == []
    assert [(merge.name, merge.expert, merge.references) for merge in merges] == [
        ("slerp-code-0.25", "code", ("base", "code")),
        ("slerp-code-0.5", "code", ("base", "code")),
        ("slerp-notes-0.25", "notes", ("base", "notes")),
        ("slerp-notes-0.5", "notes", ("base", "notes")),
    ]


def test_an_axis_value_keeps_its_type(expanded: Expand) -> None:
    merges, problems = expanded(
        """\
x-{d}-{seed}:
  axes: {d: [0.5], seed: [3], on: [true]}
  merge_method: dare_ties
  seed: "{seed}"
  models: {each: experts, parameters: {weight: 1.0, density: [{filter: "layers.{seed}.", value: "{d}"}]}}
  parameters: {normalize: "{on}"}
"""
    )
    assert problems == []
    (merge,) = merges
    assert (merge.name, merge.spec.seed) == ("x-0.5-3", 3)
    assert merge.spec.parameters["normalize"] is True
    (density,) = merge.spec.models[0].parameters["density"]  # type: ignore[union-attr, misc]
    assert (density.value, density.filter) == (0.5, "layers.3.")


def test_names_of_the_base_mean_the_base(expanded: Expand) -> None:
    merges, problems = expanded(
        "a:\n  merge_method: slerp\n  models: [{model: tiny}, {model: code}]\n  base_model: tiny\n"
        "  parameters: {t: 0.5}\n"
    )
    assert problems == []
    assert (merges[0].references, merges[0].spec.base_model) == (("base", "code"), "base")


def test_a_base_that_is_not_listed_is_read_last(expanded: Expand) -> None:
    merges, _ = expanded(task_arithmetic("sum", "notes", "code"))
    assert merges[0].references == ("notes", "code", "base")


def test_a_candidate_may_be_a_base(expanded: Expand) -> None:
    merges, problems = expanded(
        task_arithmetic("later", "code") + "  base_model: early\n" + task_arithmetic("early", "notes")
    )
    assert problems == []
    assert [(merge.name, merge.references) for merge in merges] == [
        ("early", ("notes", "base")),
        ("later", ("code", "early")),
    ]


def test_each_expert(expanded: Expand) -> None:
    merges, _ = expanded("all:\n  merge_method: linear\n  models: {each: experts, parameters: {weight: 0.5}}\n")
    assert merges[0].references == ("code", "notes")
    assert [entry.parameters for entry in merges[0].spec.models] == [{"weight": 0.5}] * 2


def test_each_of_a_pattern(expanded: Expand) -> None:
    merges, problems = expanded(
        SLERP + "mean:\n  merge_method: linear\n  models: {each: slerp-*-0.5, parameters: {weight: 1.0}}\n"
    )
    assert problems == []
    assert merges[-1].references == ("slerp-code-0.5", "slerp-notes-0.5")
    assert merges[-1].members == {}


def test_best_of_a_pattern_is_one_per_expert(expanded: Expand) -> None:
    merges, problems = expanded(
        SLERP
        + "sum:\n  merge_method: task_arithmetic\n  models: {each: best-of slerp-*, parameters: {weight: 1.0}}\n"
        + "top:\n  merge_method: slerp\n  models: [{model: base}, {model: best-of slerp-*}]\n  parameters: {t: 0.5}\n"
    )
    assert problems == []
    of_code, of_notes = ("slerp-code-0.25", "slerp-code-0.5"), ("slerp-notes-0.25", "slerp-notes-0.5")
    assert merges[-2].members == {"best-of slerp-* for code": of_code, "best-of slerp-* for notes": of_notes}
    assert merges[-2].references == (*merges[-2].members, "base")
    assert merges[-1].members == {"best-of slerp-*": of_code + of_notes}


def test_best_of_candidates_without_an_expert_is_one(expanded: Expand) -> None:
    merges, problems = expanded(
        task_arithmetic("x1", "code")
        + task_arithmetic("x2", "notes")
        + "best:\n  merge_method: ties\n  models: {each: best-of x*, parameters: {weight: 1.0}}\n"
    )
    assert problems == []
    assert merges[-1].members == {"best-of x*": ("x1", "x2")}


def test_a_pattern_never_means_the_candidate_itself(expanded: Expand) -> None:
    merges, problems = expanded(
        task_arithmetic("x1", "code") + "x2:\n  merge_method: ties\n  models: {each: x*, parameters: {weight: 1.0}}\n"
    )
    assert problems == []
    assert merges[-1].references == ("x1", "base")


def test_inputs_come_before_what_reads_them(expanded: Expand) -> None:
    merges, problems = expanded(
        "last:\n  merge_method: model_stock\n  models: {each: best-of mid*}\n"
        + task_arithmetic("other", "last", "code")
        + task_arithmetic("mid", "first", "notes")
        + task_arithmetic("first", "code")
    )
    assert problems == ["1: last: 'model_stock' takes at least 2 models besides the base, 1 given."]
    assert [merge.name for merge in merges] == ["other", "first", "mid"]


def test_merges_of_merges_are_ordered(expanded: Expand) -> None:
    merges, problems = expanded(
        task_arithmetic("last", "best-of mid*", "code")
        + task_arithmetic("mid1", "first", "notes")
        + task_arithmetic("mid2", "mid1")
        + task_arithmetic("first", "code")
    )
    assert problems == []
    assert [merge.name for merge in merges] == ["first", "mid1", "mid2", "last"]


@pytest.mark.parametrize(
    ("candidates", "circle"),
    [
        (task_arithmetic("a", "a"), "a -> a"),
        (task_arithmetic("a", "b") + task_arithmetic("b", "c") + task_arithmetic("c", "a"), "a -> b -> c -> a"),
        (task_arithmetic("a", "b") + task_arithmetic("b", "c") + task_arithmetic("c", "b"), "b -> c -> b"),
        (
            task_arithmetic("a", "best-of b*") + task_arithmetic("b1", "code") + task_arithmetic("b2", "a"),
            "a -> b2 -> a",
        ),
    ],
)
def test_a_circle_is_shown(candidates: str, circle: str, expanded: Expand) -> None:
    _, problems = expanded(candidates)
    lines = candidates.splitlines()
    line = 1 + next(i for i, text in enumerate(lines) if text.startswith(f"{circle.split()[0]}:"))
    assert problems == [f"{line}: circular merge: {circle}. Take one of them out of the circle."]


@pytest.mark.parametrize(
    ("candidates", "problem"),
    [
        (
            SLERP.replace("slerp-{expert}-{t}", "slerp-{expret}"),
            "1: '{expret}' is no axis of 'slerp-{expret}'. Did you mean 'expert'?",
        ),
        (SLERP.replace('t: "{t}"', 't: "{tt}"'), "1: '{tt}' is no axis of 'slerp-{expert}-{t}'. Did you mean 't'?"),
        (
            SLERP.replace('"{expert}"', '"{expret}"'),
            "1: '{expret}' is no axis of 'slerp-{expert}-{t}'. Did you mean 'expert'?",
        ),
        (SLERP.replace("slerp-{expert}-{t}", "slerp-{t"), "1: 'slerp-{t' is no name for a model. "),
        (SLERP.replace("slerp-{expert}-{t}", "a b-{expert}-{t}"), "1: 'a b-code-0.25' is no name for a model. "),
        (SLERP.replace("0.25, 0.5", "../x, y"), "1: 'slerp-code-../x' is no name for a model. "),
        (SLERP.replace("[0.25, 0.5]", "[]"), "2: 't': list should have at least 1 item after validation, not 0 ([])."),
        (SLERP.replace("[0.25, 0.5]", "0.5"), "2: 't': input should be a valid list or 'experts' (0.5)."),
        (task_arithmetic("code", "notes"), "1: the name 'code' is taken already. "),
        (task_arithmetic("base", "notes") + "  base_model: code\n", "1: the name 'base' is taken already. "),
        (task_arithmetic("tiny", "notes"), "1: the name 'tiny' is taken already. "),
        (task_arithmetic("aligned", "notes"), "1: the name 'aligned' is taken already. "),
        (
            task_arithmetic("x-{t}", "code") + "  axes: {t: [1]}\n" + task_arithmetic("x-1", "notes"),
            "5: the name 'x-1' is taken already. ",
        ),
        (
            task_arithmetic("a", "code", "note"),
            "3: model 'note' is no expert or candidate of this run. Did you mean 'notes'?",
        ),
        (task_arithmetic("a", "best-of b*"), "3: no candidate matches 'best-of b*'. Known: a."),
        (
            task_arithmetic("a", "code") + "  base_model: bass\n",
            "4: model 'bass' is no expert or candidate of this run. Did you mean 'base'?",
        ),
        (
            "a:\n  merge_method: ties\n  models:\n    each: slerp-*\n    parameters: {weight: 1.0}\n",
            "4: no candidate matches 'slerp-*'. Write 'experts', or a pattern over: a.",
        ),
        (
            "a:\n  merge_method: ties\n  models:\n    each: best-of slerp-*\n    parameters: {weight: 1.0}\n",
            "4: no candidate matches 'best-of slerp-*'. Write 'experts', or a pattern over: a.",
        ),
        (
            "a:\n  merge_method: tie\n  models: {each: experts, parameters: {weight: 1.0}}\n",
            "1: a: unknown merge method 'tie'. Did you mean 'ties'?",
        ),
        (
            "a:\n  merge_method: ties\n  models: {each: experts, parameters: {weight: heavy}}\n",
            f"3: a: 'weight': {A_PARAMETER} ('heavy').",
        ),
        (
            task_arithmetic("a", "code") + "  parameters:\n    normalize: true\n    lambda: {x: 1}\n",
            f"6: a: 'lambda': {A_PARAMETER} ({{'x': 1}}).",
        ),
        (
            "a:\n  merge_method: dare_ties\n  seed: seven\n  models: {each: experts, parameters: {weight: 1.0}}\n",
            "3: a: 'seed': input should be a valid integer ('seven').",
        ),
        (
            "a:\n  merge_method: ties\n  models: experts\n",
            "3: 'models': input should be a valid list or a valid dictionary ('experts').",
        ),
        (
            "a:\n  merge_method: ties\n  models:\n    each: experts\n    parametrs: {weight: 1.0}\n",
            "5: unknown key 'parametrs'. Did you mean 'parameters'?",
        ),
        (
            "a:\n  merge_method: ties\n  models:\n    - model: code\n      parametrs: {weight: 1.0}\n",
            "5: unknown key 'parametrs'. Did you mean 'parameters'?",
        ),
    ],
)
def test_one_mistake_one_problem(candidates: str, problem: str, expanded: Expand) -> None:
    _, problems = expanded(candidates)
    assert len(problems) == 1, problems
    assert problems[0].startswith(problem)


def test_an_axis_that_is_not_in_the_name(expanded: Expand) -> None:
    _, problems = expanded(SLERP.replace("slerp-{expert}-{t}", "slerp-{expert}"))
    assert problems == [
        f"1: the name 'slerp-{expert}' is taken already. Use every axis in the name: {{axis}}."
        for expert in ("code", "notes")
    ]


def test_every_mistake_in_one_go(expanded: Expand) -> None:
    _, problems = expanded(
        task_arithmetic("a", "cod")
        + task_arithmetic("b", "note")
        + SLERP.replace("t: [0.25, 0.5]", "t: [0.25, 2.0]")
        + task_arithmetic("c", "d")
        + task_arithmetic("d", "c")
    )
    assert problems == [
        "3: model 'cod' is no expert or candidate of this run. Did you mean 'code'?",
        "6: model 'note' is no expert or candidate of this run. Did you mean 'notes'?",
        "7: slerp-code-2.0: 't' must lie from 0 to 1 (2).",
        "7: slerp-notes-2.0: 't' must lie from 0 to 1 (2).",
        "12: circular merge: c -> d -> c. Take one of them out of the circle.",
    ]


def test_a_run_without_any_candidate_to_choose_is_refused(expanded: Expand) -> None:
    _, problems = expanded(f"{SLERP}  intermediate: true\n")
    assert problems == ["0: all candidates are intermediate: none can be chosen. Take it off one of them."]


def test_a_run_with_nothing_to_merge_is_refused(expanded: Expand) -> None:
    _, problems = expanded("{}\n")
    assert problems == ["0: nothing to merge: give 'candidates', 'searches', or both."]
