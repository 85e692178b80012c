"""The dependency rules of the package, read off its sources. Each rule is also shown to catch a planted offence."""

from __future__ import annotations

import ast
import functools
import importlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
STAGES = {"data", "training", "merging", "scoring", "board", "alignment"}

LAYER = {
    "errors": 0, "ids": 0, "memory": 0, "records": 0, "progress": 0, "ratio": 0,
    "provenance": 1, "store": 1,
    "specs": 2,
    "publish": 3, "tasks": 3,
    "plan": 4,
    "limits": 5, "stand": 5,
    "context": 6, "search": 6,
    "steps": 7,
    "run": 8, "train": 8,
    "score": 9,
    "results": 10,
    "cli": 11,
    "__main__": 12,
}  # fmt: skip
"""A module reads its own layer's package and lower layers. Stages lie beside: see `may_read`."""

DOORS = {
    "mergekit": ("merging/",),
    "lm_eval": ("scoring/",),
    "trl": ("training/", "alignment/"),
    "datasketch": ("data/duplicates.py",),
    "optuna": ("merging/search/study.py",),
    "presidio_analyzer": ("data/deidentify_names.py",),
    "pandas": ("board/",),
    "rich": ("board/render.py", "cli/"),
}
HEAVY = {"torch", "transformers", "mergekit", "lm_eval", "trl", "peft", "pandas", "datasets"}

CLOCK = {
    "time.time", "time.time_ns", "time.localtime", "time.gmtime", "time.strftime", "time.ctime",
    "datetime.datetime.now", "datetime.datetime.utcnow", "datetime.datetime.today", "datetime.date.today",
}  # fmt: skip

OWN_GENERATORS = {
    "random.Random", "random.SystemRandom", "numpy.random.default_rng", "numpy.random.Generator", "numpy.random.Philox",
    "numpy.random.PCG64", "numpy.random.SeedSequence", "torch.random.fork_rng",
}  # fmt: skip
GLOBAL_SEEDS = ("torch.manual_seed", "torch.seed", "torch.cuda.manual_seed", "torch.set_rng_state")

STATES = {"random.getstate", "random.setstate", "numpy.random.get_state", "numpy.random.set_state"}

RANDOM_ALLOWED = {
    # mergekit and transformers seed every generator; their doors give each back as it was.
    "merging/mergekit_door.py": STATES,
    "training/train.py": STATES | {"torch.manual_seed"},
    "data/duplicates.py": {"random.getstate", "random.setstate"},  # datasketch draws a name for its tables
}
"""By file; `torch.manual_seed` also has to stand inside `torch.random.fork_rng()`."""


@dataclass(frozen=True)
class Import:
    """A module that is imported. `eager`: as soon as the file is, and not for type checkers only."""

    module: str
    eager: bool


@dataclass(frozen=True)
class Source:
    """A file of the package by its path below it."""

    file: str
    tree: ast.Module

    @property
    def module(self) -> str:
        parts = Path(self.file).with_suffix("").parts
        return ".".join(("workbench", *(part for part in parts if part != "__init__")))

    @property
    def part(self) -> str:
        """The top-level module or package that it belongs to; empty for workbench/__init__.py."""
        return (*self.module.split("."), "")[1]


@functools.cache
def sources() -> tuple[Source, ...]:
    root = REPOSITORY / "workbench"
    return tuple(Source(p.relative_to(root).as_posix(), ast.parse(p.read_text())) for p in sorted(root.rglob("*.py")))


def planted(file: str, text: str) -> Source:
    return Source(file, ast.parse(text))


def imports(source: Source) -> Iterator[Import]:
    def walk(nodes: list[ast.AST], eager: bool) -> Iterator[Import]:
        for node in nodes:
            if isinstance(node, ast.Import):
                yield from (Import(alias.name, eager) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{source.file}: relative import"
                yield from (Import(f"{node.module}.{alias.name}", eager) for alias in node.names)
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
                yield from walk(list(ast.iter_child_nodes(node)), False)
            else:
                typing = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
                yield from walk(list(ast.iter_child_nodes(node)), eager and not typing)

    yield from walk(list(source.tree.body), True)


def used(source: Source) -> Iterator[tuple[str, ast.expr]]:
    """Every dotted name with its import spelled out: `np.random.seed` is numpy.random.seed."""
    spelled = {}
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            spelled |= {alias.asname: alias.name for alias in node.names if alias.asname}
        elif isinstance(node, ast.ImportFrom):
            spelled |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Attribute | ast.Name) and (name := dotted(node)):
            head, dot, rest = name.partition(".")
            yield spelled.get(head, head) + dot + rest, node


def dotted(node: ast.expr) -> str:
    """`a.b.c`, or nothing for an attribute of anything but a name."""
    if isinstance(node, ast.Name):
        return node.id
    before = dotted(node.value) if isinstance(node, ast.Attribute) else ""
    return f"{before}.{node.attr}" if before and isinstance(node, ast.Attribute) else ""


def may_read(reader: str, read: str) -> bool:
    """Whether a top-level part of the package may import another."""
    if reader == read:
        return True
    if reader in STAGES:
        return read == "data" or (read in LAYER and LAYER[read] <= LAYER["specs"])
    if read in STAGES:  # `data` knows sources and formats; the other stages are called by steps and by what is above
        return LAYER[reader] >= (LAYER["specs"] if read == "data" else LAYER["stand"])
    return LAYER[read] < LAYER[reader]


def wrong_directions(source: Source) -> list[str]:
    parts = [one.module.split(".")[1] for one in imports(source) if one.module.startswith("workbench.")]
    return [f"{source.file} imports {part}" for part in parts if not may_read(source.part, part)]


def through_the_wall(source: Source) -> list[str]:
    return [
        f"{source.file} imports {one.module}"
        for one in imports(source)
        for library, doors in DOORS.items()
        if one.module.split(".")[0] == library and not source.file.startswith(doors)
    ]


def heavy_at_start(source: Source) -> list[str]:
    """Stages may load what they stand for; they are loaded by the step that needs them."""
    found = []
    for one in imports(source):
        root, part = (*one.module.split("."), "")[:2]
        stage = root == "workbench" and part in STAGES - {"data"}
        if one.eager and (root in HEAVY or stage) and source.part not in STAGES - {"data"}:
            found.append(f"{source.file} imports {one.module} when it is imported")
    return found


def clocks_and_git(source: Source) -> list[str]:
    if source.file == "provenance.py":
        return []
    found = [f"{source.file}:{node.lineno} {name}" for name, node in used(source) if name in CLOCK]
    texts = [node for node in ast.walk(source.tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return found + [f"{source.file}:{n.lineno} git" for n in texts if n.value == "git" or n.value.startswith("git ")]


def global_random_state(source: Source) -> list[str]:
    forked = [
        inside
        for node in ast.walk(source.tree)
        if isinstance(node, ast.With) and any("fork_rng(" in ast.unparse(item) for item in node.items)
        for inside in ast.walk(node)
    ]
    found = []
    for name, node in used(source):
        parents = name.rpartition(".")[0]
        drawn = parents in ("random", "numpy.random") and name not in OWN_GENERATORS
        seeded = name.startswith(GLOBAL_SEEDS) or name.endswith((".set_seed", ".seed_everything"))
        allowed = name in RANDOM_ALLOWED.get(source.file, set()) and (not seeded or node in forked)
        if (drawn or seeded) and not allowed:
            found.append(f"{source.file}:{node.lineno} {name}")
    return found


RULES: list[Callable[[Source], list[str]]] = [
    wrong_directions,
    through_the_wall,
    heavy_at_start,
    clocks_and_git,
    global_random_state,
]


def test_the_whole_package_is_read() -> None:
    found = sources()
    assert len(found) >= 75
    assert {source.part for source in found} - {""} == STAGES | LAYER.keys()
    per_stage = {stage: sum(source.part == stage for source in found) for stage in STAGES | {"specs", "cli"}}
    assert min(per_stage.values()) >= 3, per_stage
    assert sum(len(list(imports(source))) for source in found) > 400


@pytest.mark.parametrize("rule", RULES)
def test_the_package_keeps_the_rule(rule: Callable[[Source], list[str]]) -> None:
    assert [offence for source in sources() for offence in rule(source)] == []


@pytest.mark.parametrize(
    ("rule", "file", "text"),
    [
        (wrong_directions, "ids.py", "from workbench.specs.run import RunSpec"),
        (wrong_directions, "store.py", "from workbench.provenance import capture"),
        (wrong_directions, "specs/load.py", "def f():\n    from workbench.plan import plan"),
        (wrong_directions, "specs/load.py", "from workbench.board.select import choose"),
        (wrong_directions, "plan.py", "import workbench.run"),
        (wrong_directions, "plan.py", "from workbench.scoring.harness import Harness"),
        (wrong_directions, "run.py", "from workbench.cli.console import console"),
        (wrong_directions, "board/select.py", "from workbench.scoring.metrics import generation_scores"),
        (wrong_directions, "data/sources.py", "from workbench.training.corpus import read"),
        (wrong_directions, "merging/fold.py", "from workbench.plan import Step"),
        (wrong_directions, "merging/fold.py", "if TYPE_CHECKING:\n    from workbench.run import Walk"),
        (through_the_wall, "steps.py", "def f():\n    import mergekit.merge"),
        (through_the_wall, "board/table.py", "from lm_eval import evaluator"),
        (through_the_wall, "scoring/harness.py", "import trl"),
        (through_the_wall, "results.py", "import pandas as pd"),
        (through_the_wall, "run.py", "from rich.console import Console"),
        (through_the_wall, "board/summary.py", "from rich import print"),
        (heavy_at_start, "steps.py", "import torch"),
        (heavy_at_start, "store.py", "try:\n    from peft import PeftModel\nexcept ImportError:\n    pass"),
        (heavy_at_start, "cli/run.py", "from workbench.board.render import to_rich"),
        (heavy_at_start, "data/formats.py", "class A:\n    import datasets"),
        (clocks_and_git, "run.py", "import time\nstarted = time.time()"),
        (clocks_and_git, "run.py", "from time import time as now\nstarted = now()"),
        (clocks_and_git, "board/page.py", "import datetime as dt\ndt.datetime.now()"),
        (clocks_and_git, "board/page.py", "from datetime import date\ndate.today()"),
        (clocks_and_git, "steps.py", "subprocess.run(['git', 'status'])"),
        (clocks_and_git, "steps.py", "os.system('git rev-parse HEAD')"),
        (global_random_state, "data/icd10cm.py", "import random\nrandom.shuffle(lines)"),
        (global_random_state, "data/icd10cm.py", "from random import shuffle\nshuffle(lines)"),
        (global_random_state, "merging/fold.py", "import numpy as np\nnp.random.seed(1)"),
        (global_random_state, "merging/fold.py", "def f():\n    import torch\n    torch.manual_seed(1)"),
        (global_random_state, "merging/fold.py", "torch.cuda.manual_seed_all(1)"),
        (global_random_state, "training/train.py", "import torch\ntorch.manual_seed(1)"),
        (global_random_state, "scoring/harness.py", "from transformers import set_seed\nset_seed(1)"),
    ],
)
def test_the_rule_catches(rule: Callable[[Source], list[str]], file: str, text: str) -> None:
    assert len(rule(planted(file, text))) == 1


@pytest.mark.parametrize(
    ("rule", "file", "text"),
    [
        (wrong_directions, "specs/project.py", "from workbench.data.sources import SOURCES"),
        (wrong_directions, "results.py", "from workbench.board.page import Board"),
        (wrong_directions, "training/train.py", "from workbench.data.formats import examples"),
        (heavy_at_start, "results.py", "if TYPE_CHECKING:\n    from workbench.board.page import Board"),
        (heavy_at_start, "board/table.py", "import pandas as pd"),
        (heavy_at_start, "steps.py", "def f():\n    import torch"),
        (clocks_and_git, "run.py", "import time\nstarted = time.monotonic()"),
        (clocks_and_git, "provenance.py", "from datetime import datetime\ndatetime.now()"),
        (global_random_state, "data/icd10cm.py", "import random\nrng = random.Random(1)\nrng.shuffle(lines)"),
        (global_random_state, "training/train.py", "with torch.random.fork_rng():\n    torch.manual_seed(1)"),
    ],
)
def test_the_rule_lets_pass(rule: Callable[[Source], list[str]], file: str, text: str) -> None:
    assert rule(planted(file, text)) == []


@pytest.mark.parametrize("library", DOORS)
def test_every_door_is_in_use(library: str) -> None:
    readers = [s.file for s in sources() if any(one.module.split(".")[0] == library for one in imports(s))]
    assert readers
    for door in DOORS[library]:
        assert any(file.startswith(door) for file in readers), door


def test_every_exception_for_random_state_is_in_use() -> None:
    found = {source.file: {name for name, _ in used(source)} for source in sources() if source.file in RANDOM_ALLOWED}
    assert found.keys() == RANDOM_ALLOWED.keys()
    for file, names in RANDOM_ALLOWED.items():
        assert names <= found[file]


@pytest.mark.parametrize("module", [source.module for source in sources()])
def test_importable(module: str) -> None:
    assert importlib.import_module(module).__doc__


def test_the_core_loads_nothing_heavy() -> None:
    core = [source.module for source in sources() if source.part in LAYER or source.part == "data"]
    assert len(core) > 35
    probe = (
        f"import importlib, sys\nfor name in {core!r}:\n    importlib.import_module(name)\n"
        f"print(sorted({HEAVY!r} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_tasks_read_metrics_and_data_only() -> None:
    """They are to run under plain `lm_eval --include_path`, with nothing of ours but these."""
    files = sorted((REPOSITORY / "benchmarks" / "tasks").glob("*/utils.py"))
    assert len(files) >= 6
    read = {
        one.module
        for path in files
        for one in imports(planted(path.name, path.read_text()))
        if one.module.split(".")[0] == "workbench"
    }
    assert read
    allowed = (
        "workbench.scoring.metrics.",
        "workbench.scoring.codes.",
        "workbench.scoring.entities.",
        "workbench.scoring.choices.",
        "workbench.scoring.corrections.",
        "workbench.data.",
        "workbench.errors.",
    )
    assert [module for module in sorted(read) if not module.startswith(allowed)] == []
