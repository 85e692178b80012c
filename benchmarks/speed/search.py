"""A search, ours against the loop of `mergekit-yaml` and `lm_eval`: candidates an hour, and that the scores agree.

    python benchmarks/speed/search.py                                       # 16 candidates, 150 items (README.md)
    python benchmarks/speed/search.py --loop-candidates 4                   # the loop on the first 4 only

Same machine, candidates and items, on the CPU. Both compute a merge in float32 and round it once, to --dtype. DARE
draws other random numbers in mergekit than here, on purpose: candidates that draw are compared in time alone, and
scores and winner over the others.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from command_loop import Looped, looped, watched
from our_search import Job
from rich.console import Console
from search_tables import ALL, LOOP, RACE, STAGES, Run, Values, Way, agreement, racing, scores, stages, way

from workbench.cli.common import count
from workbench.errors import WorkbenchError
from workbench.score import find_model
from workbench.scoring.harness import subset
from workbench.scoring.racing.replay import replay
from workbench.scoring.racing.settings import Settings as Racing
from workbench.specs.methods import METHODS
from workbench.specs.project import Project
from workbench.store import Store

CANDIDATES: tuple[tuple[str, dict[str, float]], ...] = (
    ("ties", {"weight": 1.0, "density": 0.5}),
    ("breadcrumbs", {"weight": 0.5, "density": 0.9, "gamma": 0.01}),
    ("slerp", {"t": 0.5}),
    ("dare_ties", {"weight": 0.5, "density": 0.5}),
    ("ties", {"weight": 1.0, "density": 0.2}),
    ("breadcrumbs", {"weight": 0.8, "density": 0.9, "gamma": 0.01}),
    ("slerp", {"t": 0.3}),
    ("dare_ties", {"weight": 0.8, "density": 0.5}),
    ("ties", {"weight": 1.0, "density": 0.8}),
    ("breadcrumbs", {"weight": 0.5, "density": 0.7, "gamma": 0.05}),
    ("slerp", {"t": 0.7}),
    ("dare_ties", {"weight": 0.5, "density": 0.3}),
    ("ties", {"weight": 1.0, "density": 0.5, "lambda": 0.5}),
    ("breadcrumbs", {"weight": 0.3, "density": 0.8, "gamma": 0.01}),
    ("slerp", {"t": 0.1}),
    ("dare_ties", {"weight": 0.3, "density": 0.7}),
)
"""Method and parameters. A weight or density is that of every expert; SLERPs take the experts in turn."""

TASKS = (
    "icd10cm_easy_validation", "icd10cm_medium_validation", "icd10cm_hard_validation", "mini_nli_validation",
    "mini_error_detection_validation",
)  # fmt: skip
"""Multiple choice that needs no download."""

HERE = Path(__file__).parent

console = Console(width=130)


def recipes(experts: Sequence[str], number: int, dtype: str) -> dict[str, dict[str, Any]]:
    """The first candidates of the table, by name, in the words of our YAML."""
    found, interpolated = {}, 0
    for index, (method, parameters) in enumerate(CANDIDATES[:number]):
        listed, each = list(experts), METHODS[method].each
        if method == "slerp":
            listed = [experts[interpolated % len(experts)]]
            interpolated += 1
        own = {name: value for name, value in parameters.items() if name in each}
        name = " ".join(
            [method, *(listed if method == "slerp" else []), *(f"{k}={v:g}" for k, v in parameters.items())]
        )
        found[name] = {
            "merge_method": method,
            "base_model": "base",
            "models": [{"model": expert, "parameters": own} for expert in listed],
            "parameters": {name: value for name, value in parameters.items() if name not in each},
            "dtype": "float32",
            "out_dtype": dtype,
            **({"seed": index} if METHODS[method].seeded else {}),
        }
    return found


def job_of(arguments: argparse.Namespace) -> Job:
    """The work, with base and experts as folders, which are made first. Raises UserError for a name nobody knows."""
    project, store = Project.around(Path.cwd() / "any"), Store(arguments.runs)
    folders = {"base": str(find_model(arguments.base, project, store).folder.resolve())}
    for given in arguments.experts:
        found = find_model(given, project, store)
        if found.name in folders:
            raise SystemExit(f"{given}: a model named '{found.name}' is given already. Name each expert once.")
        folders[found.name] = str(found.folder.resolve())
    metrics, samples = asked(project.tasks, arguments.tasks, arguments.limit)
    made = recipes([name for name in folders if name != "base"], arguments.candidates, arguments.dtype)
    return Job(folders, made, str(project.tasks.resolve()), metrics, samples, arguments.limit, arguments.dtype)


def asked(folder: Path, names: Sequence[str], limit: int) -> tuple[dict[str, str], dict[str, list[int]]]:
    """Metric and items of every task, groups taken apart: mutual information where a task has it, else its first."""
    from lm_eval.tasks import TaskManager

    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    manager = TaskManager(include_path=str(folder), include_defaults=False)
    if unknown := sorted(set(names) - set(manager.all_tasks)):
        raise SystemExit(f"unknown task '{unknown[0]}'. Name tasks of {folder} with --tasks.")
    metrics, samples = {}, {}
    for name, task in manager.load(list(names))["tasks"].items():
        listed = [one["metric"] for one in task.config.metric_list]
        metrics[name] = "acc_mutual_info" if "acc_mutual_info" in listed else listed[0]
        samples[name] = subset(name, len(task.eval_docs), limit)
    return metrics, samples


def ours(job: Job, into: Path) -> tuple[Run, dict[str, Any]]:
    """Seconds and the record of a search of ours, in a process of its own."""
    file, record = into / "job.json", into / "record.json"
    file.write_text(json.dumps(asdict(job)))
    (total,), cpu = watched([sys.executable, str(HERE / "our_search.py"), str(file), str(record)])
    found = json.loads(record.read_text())
    known = found.pop("seconds")
    return Run({"start-up": total - sum(known.values()), **known}, cpu), found


def measured(job: Job, arguments: argparse.Namespace, into: Path) -> tuple[dict[str, Way], Values, Values, Any]:
    """The ways, each so many times and in turn; metrics by ours and by the loop, and the race's record."""
    timed: dict[str, list[Run]] = {LOOP: [], ALL: [], RACE: []}
    found: dict[str, dict[str, Any]] = {}
    loop: dict[str, Looped] = {}
    names = list(job.recipes)[: arguments.loop_candidates]
    for number in range(arguments.repeats):
        for kind, asking in ((ALL, job), (RACE, replace(job, racing=True))):
            run, found[kind] = ours(asking, into)
            timed[kind].append(run)
            told(number, kind, run.total)
        for name in names:
            loop[name] = looped(job, name, into, arguments.batch_size)
            told(number, f"{LOOP}, {name}", sum(loop[name].seconds.values()))
        seconds = {stage: sum(one.seconds[stage] for one in loop.values()) for stage in STAGES}
        timed[LOOP].append(Run(seconds, sum(one.cpu_seconds for one in loop.values())))
    counts = {LOOP: len(names), ALL: len(job.recipes), RACE: len(job.recipes)}
    ways = {kind: way(counts[kind], runs) for kind, runs in timed.items()}
    return ways, found[ALL]["values"], {name: one.values for name, one in loop.items()}, found[RACE]["race"]


def told(number: int, what: str, seconds: float) -> None:
    """Say what has just been measured."""
    console.print(f"  {number + 1}. {what}: {seconds:.1f} s", style="dim", highlight=False)


def conditions(job: Job, arguments: argparse.Namespace) -> dict[str, Any]:
    """What was measured, and where."""
    return {
        "base": arguments.base,
        "experts": [name for name in job.folders if name != "base"],
        "items": {task: len(docs) for task, docs in job.samples.items()},
        "dtype": job.dtype,
        "lm_eval batch size": arguments.batch_size,
        "loop candidates": arguments.loop_candidates,
        "repeats": arguments.repeats,
        "cores": os.cpu_count(),
        "load average at the start": round(os.getloadavg()[0], 1),
        "packages": {name: version(name) for name in ("torch", "transformers", "mergekit", "lm_eval")},
        "started": time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime()),
    }


def headline(found: Mapping[str, Any], number: int) -> str:
    """The conditions in a sentence or two."""
    items, loop = sum(found["items"].values()), found["loop candidates"]
    load = f"load average {found['load average at the start']} at the start"
    packages = ", ".join(f"{name} {release}" for name, release in found["packages"].items())
    shortened = "" if loop == number else f" The loop ran the first {loop}: its candidates an hour are from these."
    return (
        f"{number} candidates of {found['base']} with {', '.join(found['experts'])}; {items} items of "
        f"{len(found['items'])} tasks; {found['dtype']}; {found['cores']} cores, {load}; median of {found['repeats']}; "
        f"{packages}.{shortened}"
    )


def given() -> argparse.Namespace:
    """The arguments, checked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--base", default="smollm2-135m", help="declared in experts/, or a folder (smollm2-135m)")
    add("--experts", nargs="+", default=("medcode", "clinical"), help="trained experts, or folders (medcode clinical)")
    add("--candidates", type=count, default=len(CANDIDATES), help=f"the first so many ({len(CANDIDATES)})")
    add("--loop-candidates", type=count, help="the loop on the first so many only (all)")
    add("--tasks", nargs="+", default=TASKS, help="multiple choice, of benchmarks/tasks (those without a download)")
    add("--limit", type=count, default=30, help="items of every task (30)")
    add("--dtype", choices=("bfloat16", "float32"), default="bfloat16", help="of the scored weights (bfloat16)")
    add("--batch-size", type=count, default=8, help="lm_eval's (8)")
    add("--repeats", type=count, default=1, help="runs of each way, of which the median counts (1)")
    add("--seeds", type=count, default=10, help="races replayed on the answers (10)")
    add("--runs", type=Path, default=Path("runs"), help="where experts are trained and folded")
    add("--out", type=Path, help="JSON of all numbers")
    arguments = parser.parse_args()
    if arguments.candidates > len(CANDIDATES):
        parser.error(f"--candidates {arguments.candidates}: the table holds {len(CANDIDATES)}")
    arguments.loop_candidates = arguments.loop_candidates or arguments.candidates
    if arguments.loop_candidates > arguments.candidates:
        parser.error(f"--loop-candidates {arguments.loop_candidates}: there are {arguments.candidates} candidates")
    return arguments


def main() -> None:
    """Measure, compare, print; write JSON where that is asked for."""
    arguments = given()
    into = arguments.runs / "speed"
    for folder in (into, *([arguments.out.parent] if arguments.out else [])):
        folder.mkdir(parents=True, exist_ok=True)
    try:
        job = job_of(arguments)
    except WorkbenchError as error:
        raise SystemExit(str(error)) from None
    stated = conditions(job, arguments)
    console.print(headline(stated, len(job.recipes)), highlight=False)
    with tempfile.TemporaryDirectory(dir=into) as place:
        ways, values, loop, race = measured(job, arguments, Path(place).resolve())
    drawn = [name for name, recipe in job.recipes.items() if "seed" in recipe]
    replayed = replay([values], Racing(), range(arguments.seeds))
    console.print(stages(ways))
    console.print(scores(values, loop, drawn))
    if drawn:
        console.print("draws: other random numbers in mergekit than here, compared in time alone", style="dim")
    console.print(agreement(values, loop, drawn), highlight=False)
    console.print(racing(race, values, replayed), highlight=False)
    if arguments.out:
        found = {kind: {**asdict(one), "candidates an hour": one.an_hour} for kind, one in ways.items()}
        record = {
            "conditions": stated, "recipes": job.recipes, "ways": found, "ours": values, "loop": loop, "race": race,
            "replay": asdict(replayed),
        }  # fmt: skip
        arguments.out.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    main()
