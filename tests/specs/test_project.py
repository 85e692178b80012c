"""A run file with all it names: what ships loads; what is wrong is said for every file in one answer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from workbench.errors import SpecError
from workbench.specs.project import Project, load_expert, load_run

Change = Callable[[str, str, str], None]
REPOSITORY = Path(__file__).parents[2]
DECLARATIONS = sorted((REPOSITORY / "experts").glob("*.yaml"))
ABLATIONS = sorted((REPOSITORY / "experts" / "ablations").glob("*.yaml"))
RUNS = sorted((REPOSITORY / "merges").glob("*.yaml"))


def refused(path: Path) -> list[str]:
    with pytest.raises(SpecError) as raised:
        load_run(path)
    return str(raised.value).splitlines()


def test_the_demo_loads(repository: Path) -> None:
    declared = load_run(repository / "merges" / "demo.yaml")
    assert declared.run.run == "demo"
    assert list(declared.experts) == list(declared.run.experts)
    assert {role: suite.role for role, suite in declared.suites.items()} == {"validation": "validation", "test": "test"}
    assert len(declared.merges) >= len(declared.run.candidates)
    assert declared.merges[-1].name == "mediphi-style"


@pytest.mark.parametrize("path", RUNS, ids=lambda path: str(path.stem))
def test_every_run_in_merges_loads(path: Path) -> None:
    declared = load_run(path)
    assert declared.merges or declared.searches


@pytest.mark.parametrize("path", DECLARATIONS, ids=lambda path: str(path.stem))
def test_every_declaration_in_experts_loads(path: Path) -> None:
    if "kind: base" in path.read_text():
        return
    project, spec, base = load_expert(path)
    assert project.root == REPOSITORY
    assert project.model_file(spec.base).is_file()
    assert base.kind == "base"


def test_ablations_differ_in_what_they_read_alone() -> None:
    assert len(ABLATIONS) == 4
    specs = [load_expert(path)[1] for path in ABLATIONS]
    assert len({spec.model_copy(update={"train": specs[0].train, "then": []}).model_dump_json() for spec in specs}) == 1
    assert {(spec.then[-1] if spec.then else spec.train).reads for spec in specs} == {"document", "tasks_then_document"}


def test_experts_and_bases_are_among_the_declarations() -> None:
    kinds = [line for path in DECLARATIONS for line in path.read_text().splitlines() if line.startswith("kind: ")]
    assert len(kinds) == len(DECLARATIONS)
    assert set(kinds) == {"kind: base", "kind: expert"}


def test_the_tiny_project_loads(run_file: Path) -> None:
    declared = load_run(run_file)
    assert list(declared.experts) == ["code", "notes"]
    assert [merge.name for merge in declared.merges] == [
        "slerp-code-0.25",
        "slerp-code-0.5",
        "slerp-notes-0.25",
        "slerp-notes-0.5",
        "dare",
        "sum",
    ]


def test_task_folders_are_known_by_the_task_in_their_files(project: Path) -> None:
    tasks = project / "benchmarks" / "tasks"
    assert Project(project).task_folders() == {
        "nli": tasks / "nli",
        "nli_validation": tasks / "nli",
        "summary": tasks / "summary",
        "summary_validation": tasks / "summary",
    }


def test_a_project_is_the_nearest_folder_with_experts(
    project: Path, run_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert Project.around(run_file).root == project
    assert Project.around(project / "experts" / "code.yaml").root == project
    monkeypatch.chdir(tmp_path)
    assert Project.around(tmp_path / "alone.yaml").root == tmp_path


def test_paths_are_shown_as_one_would_type_them(project: Path, run_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = Project(project)
    monkeypatch.chdir(project / "experts")
    assert found.shown(run_file) == "merges/run.yaml"
    monkeypatch.chdir(project.parent)
    assert found.shown(run_file) == "project/merges/run.yaml"
    assert found.shown(Path("/elsewhere/x.yaml")) == "/elsewhere/x.yaml"


@pytest.mark.parametrize(
    ("file", "old", "new", "problem"),
    [
        (
            "merges/run.yaml",
            "validation: small_validation",
            "validation: smal_validation",
            "merges/run.yaml:17: suite 'smal_validation' is not in benchmarks/suites/. "
            "Did you mean 'small_validation'?",
        ),
        (
            "merges/run.yaml",
            "test: small_test",
            "test: small_validation",
            "merges/run.yaml:17: suite 'small_validation' has role 'validation' and cannot serve as 'test'.",
        ),
        (
            "merges/run.yaml",
            "base: tiny",
            "base: tinny",
            "merges/run.yaml:2: 'tinny' is not declared in experts/. Did you mean 'tiny'?",
        ),
        (
            "merges/run.yaml",
            "[code, notes]",
            "[code, notes, cod]",
            "merges/run.yaml:3: 'cod' is not declared in experts/. Did you mean 'code'?",
        ),
        (
            "merges/run.yaml",
            "[code, notes]",
            "[code, notes,\n  code]",
            "merges/run.yaml:4: expert 'code' is listed twice. Remove one.",
        ),
        (
            "merges/run.yaml",
            "{model: base}",
            "{model: bass}",
            "merges/run.yaml:8: model 'bass' is no expert or candidate of this run. Did you mean 'base'?",
        ),
        (
            "benchmarks/suites/small_test.yaml",
            "task: summary,",
            "task: sumary,",
            "benchmarks/suites/small_test.yaml:5: unknown task 'sumary'. Did you mean 'summary'?",
        ),
        (
            "benchmarks/suites/small_test.yaml",
            "metric: rouge1",
            "metric: rouge1, sources: [mts_dialog]",
            "benchmarks/suites/small_test.yaml:5: unknown source 'mts_dialog'. Did you mean 'mts-dialog'?",
        ),
        (
            "experts/notes.yaml",
            "source: mts-dialog",
            "source: mts-dialogue",
            "experts/notes.yaml:5: unknown source 'mts-dialogue'. Did you mean 'mts-dialog'?",
        ),
        (
            "experts/notes.yaml",
            "format: dialogue_to_note",
            "format: dialog_to_note",
            "experts/notes.yaml:5: source 'mts-dialog' has no format 'dialog_to_note'. "
            "Did you mean 'dialogue_to_note'?",
        ),
        (
            "experts/notes.yaml",
            "base: tiny",
            "base: other",
            "merges/run.yaml:3: expert 'notes' has base 'other', the run 'tiny'.",
        ),
        (
            "experts/notes.yaml",
            "lora: {r: 2, alpha: 4.0}",
            "full: false",
            "experts/notes.yaml:1: declare either 'lora' or 'full: true', not both and not neither.",
        ),
        (
            "experts/tiny.yaml",
            "  wheel: tiny-model==1.0",
            "  wheel: tiny-model>=1.0",
            "experts/tiny.yaml:3: 'wheel': string should match pattern '^[A-Za-z0-9._-]+==[A-Za-z0-9.]+$' "
            "('tiny-model>=1.0'). Correct the value.",
        ),
    ],
)
def test_one_mistake_one_problem(
    file: str, old: str, new: str, problem: str, change: Change, run_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(run_file.parents[1])
    change(file, old, new)
    problems = refused(run_file)
    if "listed twice" in problem:  # the sweep over the experts says so too
        problems = [line for line in problems if "taken already" not in line and "model 'code' is" not in line]
    assert problems == [problem]


def test_an_unknown_key_hides_no_other_mistake(run_file: Path, change: Change, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(run_file.parents[1])
    change("merges/run.yaml", "test: small_test}", "test: smal_test, limt: 3}")
    change("merges/run.yaml", "[code, notes]", "[code, nots]")
    problems = "\n".join(refused(run_file))
    for said in ("unknown key 'limt'", "'nots' is not declared", "suite 'smal_test' is not in benchmarks/suites/"):
        assert said in problems


@pytest.mark.parametrize("name", ["base", "aligned"])
def test_an_expert_cannot_take_a_name_of_the_board(
    name: str, project: Path, run_file: Path, change: Change, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project)
    (project / "experts" / "code.yaml").rename(project / "experts" / f"{name}.yaml")
    change("merges/run.yaml", "[code, notes]", f"[{name}, notes]")
    said = f"merges/run.yaml:3: '{name}' means another model on the board. Rename the expert's file."
    assert said in refused(run_file)


@pytest.mark.parametrize("run_file_is_valid", [True, False])
def test_problems_of_all_files_in_one_answer(
    run_file_is_valid: bool, project: Path, run_file: Path, change: Change, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project)
    change("experts/tiny.yaml", "licence: MIT", "license: MIT")
    change("experts/code.yaml", "lr: 1.0e-3", "lr: 1e-3")
    change("experts/notes.yaml", "seed: 2", "seed: 2\nseed: 3")
    change("benchmarks/suites/small_test.yaml", "metric: acc", "metric: acc, in_mean: no")
    expected = [
        "benchmarks/suites/small_test.yaml:4: YAML reads no as false (no). Write false, or quote it if text is meant.",
        "experts/code.yaml:8: YAML reads 1e-3 as text, not as a number ('1e-3'). Write 1.0e-3.",
        "experts/notes.yaml:9: key 'seed' stands twice (first at line 8); YAML would keep the last. Remove one.",
        "experts/tiny.yaml:1: 'licence' is missing. Add it.",
        "experts/tiny.yaml:6: unknown key 'license'. Did you mean 'licence'?",
    ]
    if run_file_is_valid:
        change("merges/run.yaml", "t: [0.25, 0.5]", "t: [0.25, 5.0]")
        expected += [
            f"merges/run.yaml:5: slerp-{name}-5.0: 't' must lie from 0 to 1 (5)." for name in ("code", "notes")
        ]
    else:
        change("merges/run.yaml", "score:", "scor: 1\nscore:")
        expected += ["merges/run.yaml:17: unknown key 'scor'. Did you mean 'score'?"]
    assert refused(run_file) == expected


@pytest.mark.parametrize("text", ["experts: 3\nscore: [x]\nbase: [tiny]\n", "- run\n", "experts: [[a], ../tiny, 4]\n"])
def test_a_run_file_of_the_wrong_shape_names_itself_only(text: str, run_file: Path) -> None:
    run_file.write_text(text)
    problems = refused(run_file)
    assert problems
    assert {Path(line.partition(":")[0]).name for line in problems} == {"run.yaml"}


def test_an_expert_alone_is_checked_with_its_base(project: Path, change: Change) -> None:
    change("experts/tiny.yaml", "kind: base", "kind: bass")
    change("experts/code.yaml", "format: code_lines", "format: code_line")
    with pytest.raises(SpecError) as raised:
        load_expert(project / "experts" / "code.yaml")
    assert [problem.what for problem in raised.value.problems] == [
        "source 'icd10cm' has no format 'code_line'. Did you mean 'code_lines'?",
        "'kind': input should be 'base' ('bass'). Correct the value.",
    ]
