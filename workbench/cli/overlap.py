"""`workbench overlap`: what the experts of a run have read of the items that they are scored on."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from workbench.cli.common import declared_run, run_argument, runs_argument
from workbench.cli.console import console, working, wrote
from workbench.data.reading import licence_of
from workbench.errors import DataMissing
from workbench.plan import ROLES, Plan, Step, plan
from workbench.progress import Progress
from workbench.provenance import capture
from workbench.records import CleanScore, Overlap, Role, plain
from workbench.results import clean_scores, overlap_spec, overlaps_so_far
from workbench.run import found_so_far
from workbench.store import Store, write_json


def arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the verb."""
    run_argument(parser)
    runs_argument(parser)


def main(options: argparse.Namespace) -> int:
    """Compare every expert's corpora with every item, show what they share; scores without it, where there are any."""
    planned, store = plan(declared_run(options)), Store(options.runs)
    with working("comparing") as progress:
        unread = compare(planned, store, progress)
    overlaps = overlaps_so_far(planned, store)
    if unread and not overlaps:
        raise DataMissing(next(iter(unread.values())))
    scores = clean_scores(found_so_far(planned, store), overlaps, [scored.name for scored in planned.board])
    console.print(overlap_table(overlaps))
    _footnotes(overlaps)
    if scores:
        console.print()
        console.print(score_table(scores))
    for name, reason in unread.items():
        console.print(f"not compared: {name}: {reason}", style="yellow", markup=False)
    for task in planned.unavailable:
        console.print(f"unavailable ({task.role}): {task.task}: {task.reason}", style="yellow", markup=False)
    path = store.root / planned.declared.run.run / "overlap.json"
    write_json(path, {"overlaps": [plain(one) for one in overlaps], "scores": [plain(score) for score in scores]})
    wrote(path)
    return 0


def compare(planned: Plan, store: Store, progress: Progress) -> dict[str, str]:
    """Compare what is not in the store yet; why an expert's corpora could not be read, by expert."""
    from workbench.data.grams import Index
    from workbench.data.overlap import documents, overlap
    from workbench.scoring.items import items_of

    adapters = [step for step in planned.steps if step.kind == "adapter"]
    columns = [(role, task) for role in ROLES for task in planned.board[0].scores[role].spec["tasks"]]
    items, unread = None, {}
    for done, adapter in enumerate(adapters):
        progress(done, len(adapters), adapter.name)
        if store.get("overlap", overlap_spec(planned, adapter)[0]) is not None:
            continue
        spec = adapter.options["spec"]
        try:
            index = Index.of(documents(spec, adapter.options["home"]))
        except DataMissing as error:
            unread[adapter.name] = str(error)
            continue
        items = items or items_of(planned.declared.project.tasks, [task["task"] for _, task in columns])
        found = [overlap(adapter.name, task["name"], role, index, items[task["task"]]) for role, task in columns]
        _keep(found, planned, adapter, store)
    return unread


def _keep(found: Sequence[Overlap], planned: Plan, adapter: Step, store: Store) -> None:
    step_id, spec = overlap_spec(planned, adapter)
    licences = tuple(map(licence_of, adapter.options["spec"].corpora))
    with store.writing("overlap", adapter.name, step_id) as temp:
        write_json(temp / "overlap.json", [plain(one) for one in found])
        store.commit(temp, "overlap", adapter.name, step_id, spec, capture(licences))


def overlap_table(overlaps: Sequence[Overlap]) -> Table:
    """A row a task and role, a column an expert: how many items share 13 words in a row with what it read.

    Beside it the largest share of one item's runs.
    """
    from workbench.board.overlap import by_design

    experts = list(dict.fromkeys(one.expert for one in overlaps))
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("task", "role", "items", *experts):
        table.add_column(Text(name), justify="left" if name in ("task", "role") else "right")
    cells: dict[tuple[str, Role], dict[str, Overlap]] = {}
    for one in overlaps:
        cells.setdefault((one.task, one.role), {})[one.expert] = one
    for (task, role), row in cells.items():
        items = next(iter(row.values())).items
        shares = [_cell(row[expert]) if expert in row else Text("-") for expert in experts]
        table.add_row(Text(f"{task} †" if by_design(task) else task), role, str(items), *shares)
    return table


def _cell(one: Overlap) -> Text:
    from workbench.board.overlap import most

    shared = len(one.shared)
    return Text(f"{shared} ({100 * shared / one.items:.1f} %), {most(one)}", "bold") if shared else Text("0", "dim")


def _footnotes(overlaps: Sequence[Overlap]) -> None:
    from workbench.board.overlap import BY_DESIGN, SHARE, by_design

    console.print(f"Items that share {SHARE} with an expert's corpora, token budgets left aside.", style="dim")
    if any(by_design(one.task) for one in overlaps):
        console.print(f"† {BY_DESIGN}.", style="dim")


def score_table(scores: Sequence[CleanScore]) -> Table:
    """Scores on all items beside those on the items that no expert's corpora overlap."""
    from workbench.board.numbers import MISSING, with_error

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("task", "role", "model", "metric", "all items", "n", "clean items", "n"):
        table.add_column(name, justify="right" if name in ("n", "all items", "clean items") else "left")
    for one in scores:
        whole, clean = (
            MISSING if value is None else with_error(value, stderr)
            for value, stderr in ((one.value, one.stderr), (one.clean_value, one.clean_stderr))
        )
        names = (Text(one.task), one.role, Text(one.model), Text(one.metric))
        table.add_row(*names, whole, str(one.n), clean, str(one.clean_n))
    return table
