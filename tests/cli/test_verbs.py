"""What each verb prints and returns, as far as nothing has to be trained, merged or scored for it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from workbench.cli.main import VERBS
from workbench.data.catalogue import SOURCES
from workbench.errors import StepFailed
from workbench.plan import plan
from workbench.provenance import capture
from workbench.specs.project import load_run
from workbench.store import Store

Command = Callable[..., Any]
Change = Callable[[str, str, str], None]


@pytest.fixture
def inside(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The tiny project as working directory."""
    monkeypatch.chdir(project)
    return project


def test_help_names_every_verb(workbench: Command) -> None:
    said = workbench("--help")
    assert said.code == 0
    for verb, text in VERBS.items():
        assert f"{verb} {text}" in said.words


@pytest.mark.parametrize("verb", VERBS)
def test_help_of_a_verb(verb: str, workbench: Command) -> None:
    said = workbench(verb, "--help")
    assert said.code == 0
    assert said.out.startswith(f"usage: workbench {verb} [-h]")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("plam", "demo"), "invalid choice: 'plam' (choose from 'run', 'plan',"),
        ((), "the following arguments are required: VERB"),
        (("plan",), "the following arguments are required: run"),
        (("plan", "run", "--quick"), "unrecognized arguments: --quick"),
        (("score", "tiny", "--suite", "small", "--limit", "0"), "'0' is no count. Give a whole number, 1 or more."),
        (("score", "tiny"), "one of the arguments --suite --run is required"),
    ],
)
def test_what_the_command_does_not_know(words: tuple[str, ...], sentence: str, workbench: Command) -> None:
    said = workbench(*words)
    assert (said.code, said.out) == (2, "")
    assert sentence in said.err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("plan", "nope"), "nope: there is no such run file. In merges/: run."),
        (("run", "nope.yaml"), "nope.yaml: there is no such run file. In merges/: run."),
        (("board", "run"), "merges/run.yaml: its base is not scored yet. Run: workbench run run"),
        (("handoff", "run"), "merges/run.yaml: declares no 'handoff'. Add one with sft, dpo and seed."),
        (
            ("score", "merges", "--run", "run", "--name", "x"),
            "merges: neither a folder with a config.json nor declared in experts/. Known: code, notes, tiny.",
        ),
        (
            ("score", "tiny", "--suite", "smal_test"),
            "suite 'smal_test' is not in benchmarks/suites/. Did you mean 'small_test'?",
        ),
        (("fetch", "meqsun"), "unknown source 'meqsun'. Did you mean 'meqsum'?"),
        (("merge", "none.yaml", "out"), "none.yaml:1: there is no such file. Check the name."),
        (("train", "experts/none.yaml"), "experts/none.yaml:1: there is no such file. Check the name."),
        (("train", "experts/tiny.yaml"), "experts/tiny.yaml:1: 'kind': input should be 'expert' ('base'). "),
        (("schema", "-o", "merges/run.yaml"), "merges/run.yaml: cannot be written. Name a folder you own."),
    ],
)
def test_bad_input_is_a_sentence_and_exit_code_2(
    words: tuple[str, ...], sentence: str, inside: Path, workbench: Command
) -> None:
    said = workbench(*words)
    assert (said.code, said.out) == (2, "")
    assert sentence in said.err
    assert "Traceback" not in said.err
    if words[:2] != ("train", "experts/tiny.yaml"):
        assert said.err == f"{sentence}\n"
    assert not (inside / "runs").exists()


def test_every_problem_is_a_line_that_an_editor_can_open(inside: Path, workbench: Command, change: Change) -> None:
    change("merges/run.yaml", "t: [0.25, 0.5]", "t: [0.25, 5.0]")
    change("experts/code.yaml", "seed: 1", "sed: 1")
    said = workbench("plan", "run")
    assert (said.code, said.out) == (2, "")
    assert said.err.splitlines() == [
        "experts/code.yaml:2: 'seed' is missing. Add it.",
        "experts/code.yaml:9: unknown key 'sed'. Did you mean 'seed'?",
        "merges/run.yaml:5: slerp-code-5.0: 't' must lie from 0 to 1 (5).",
        "merges/run.yaml:5: slerp-notes-5.0: 't' must lie from 0 to 1 (5).",
    ]


def test_markup_in_a_sentence_is_printed_as_it_is(inside: Path, workbench: Command) -> None:
    assert workbench("plan", "[red]x[/]").err.startswith("[red]x[/]: there is no such run file.")


@pytest.mark.parametrize(("error", "code"), [(StepFailed("merge x: full"), 1), (KeyboardInterrupt(), 130)])
def test_other_exit_codes(
    error: BaseException, code: int, inside: Path, workbench: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> int:
        raise error

    monkeypatch.setattr("workbench.cli.plan.main", fail)
    said = workbench("plan", "run")
    assert (said.code, said.err) == (code, "merge x: full\n" if code == 1 else "interrupted\n")


def test_a_bug_keeps_its_traceback(inside: Path, workbench: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> int:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr("workbench.cli.plan.main", fail)
    with pytest.raises(ZeroDivisionError, match="a bug"):
        workbench("plan", "run")


@pytest.mark.parametrize("given", ["run", "run.yaml", "merges/run.yaml"])
def test_plan_shows_every_step_and_runs_none(given: str, inside: Path, workbench: Command) -> None:
    said = workbench("plan", given)
    assert (said.code, said.err) == (0, "")
    steps = plan(load_run(inside / "merges" / "run.yaml")).steps
    for step in steps:
        assert step.id[:12] in said.out
    assert f"0 of {len(steps)} steps are done. Nothing was run." in said.out
    assert not (inside / "runs").exists()


def test_plan_marks_what_is_done_and_estimates_the_rest(inside: Path, workbench: Command) -> None:
    base = plan(load_run(inside / "merges" / "run.yaml")).steps[0]
    store = Store(inside / "elsewhere")
    with store.writing(base.kind, base.name, base.id) as temp:
        save_file({"x.weight": torch.zeros(5000, 5000, dtype=torch.bfloat16)}, temp / "model.safetensors")
        store.commit(temp, base.kind, base.name, base.id, base.spec, capture())
    said = workbench("plan", "run", "--runs", "elsewhere")
    assert [line.split()[1] for line in said.out.splitlines() if line.startswith("✔")] == ["base"]
    assert "1 of 32 steps are done." in said.out
    # 2 experts in float32 (twice the bytes of the base) and 6 merges: 10 x 0.05 GB
    assert "Disk for the rest: about 0.5 GB (2 experts, 6 models)." in said.words
    # 4 SLERPs of two inputs, a DARE and a sum of three: 14 x 0.05 GB
    assert "The 6 merges take about: 0.7 GB read, 0.3 GB written, 0.8 GB of memory, " in said.words
    shutil.rmtree(inside / "elsewhere")
    assert "0 of 32 steps are done." in workbench("plan", "run", "--runs", "elsewhere").out


def test_plan_says_which_tasks_are_unavailable(inside: Path, workbench: Command, change: Change) -> None:
    change("benchmarks/suites/small_test.yaml", "metric: rouge1", "metric: rouge1, sources: [meqsum]")
    said = workbench("plan", "run")
    assert said.code == 0
    assert "unavailable (test): summary: meqsum/MeQSum_ACL2019" in said.words
    assert "Run: workbench fetch meqsum" in said.words


def test_handoff_before_anything_is_chosen(inside: Path, workbench: Command) -> None:
    with (inside / "merges" / "run.yaml").open("a") as file:
        file.write("handoff: {seed: 1, sft: {lr: 0.1, data: sft.jsonl}, dpo: {lr: 0.1, data: dpo.jsonl}}\n")
    said = workbench("handoff", "run")
    assert (said.code, said.err) == (2, "merges/run.yaml: nothing is chosen yet. Run: workbench run run\n")


def test_merge_into_a_folder_that_is_there(inside: Path, workbench: Command) -> None:
    (inside / "m.yaml").write_text(
        "merge_method: linear\nmodels: [{model: a, parameters: {weight: 1}}, {model: b, parameters: {weight: 1}}]\n"
    )
    said = workbench("merge", "m.yaml", "merges")
    assert (said.code, said.err) == (2, "merges: exists already. Name a new folder, or remove it.\n")
    said = workbench("merge", "m.yaml", "new")
    assert (said.code, said.err) == (2, "model 'a' is no folder here. Download it first, then give its path.\n")
    assert sorted(path.name for path in inside.iterdir()) == ["benchmarks", "experts", "m.yaml", "merges"]


def test_fetch_lists_every_source_with_its_licence_and_fetches_none(
    workbench: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workbench.cli.fetch.fetch", lambda name: pytest.fail(f"{name} was fetched"))
    said = workbench("fetch")
    assert said.code == 0
    assert SOURCES
    for name, source in SOURCES.items():
        state = "at hand" if source.package else "not here"
        assert f"{state} {name} {source.licence} {' '.join(source.attribution.split())}" in said.words
    assert not (tmp_path / "cache").exists()


def test_fetch_by_name_fetches_and_lists_that_one(workbench: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    fetched: list[str] = []
    monkeypatch.setattr("workbench.cli.fetch.fetch", fetched.append)
    said = workbench("fetch", "meqsum")
    assert (said.code, fetched) == (0, ["meqsum"])
    assert "meqsum CC BY 4.0" in said.words
    assert "pubmedqa" not in said.out


def test_fetch_checks_all_names_before_it_fetches(workbench: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workbench.cli.fetch.fetch", lambda name: pytest.fail(f"{name} was fetched"))
    assert workbench("fetch", "meqsum", "pubmedqaa").code == 2


def test_fetch_for_an_expert_gets_what_it_reads_and_the_items_that_it_must_not(
    workbench: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched: list[str] = []
    monkeypatch.setattr("workbench.cli.fetch.fetch", fetched.append)
    monkeypatch.chdir(Path(__file__).parents[2])
    assert workbench("fetch", "experts/pubmed.yaml", "medswin").code == 0
    assert {"pubmed-abstracts", "pmc-oa-rct-ccby", "ncbi-disease"} <= set(fetched), "its corpora"
    assert {"meqsum", "mirage", "roco-ccby-captions"} <= set(fetched), "of the suites that it leaves out"
    assert "medquad" in fetched, "of the suite"
    assert len(fetched) == len(set(fetched))
