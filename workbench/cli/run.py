"""`workbench run`: everything that a run file declares."""

from __future__ import annotations

import argparse

from workbench.cli.common import declared_run, run_argument, runs_argument
from workbench.cli.console import Reporter, console, outcome_table, time_by_kind, wrote
from workbench.plan import plan
from workbench.results import finish
from workbench.run import walk
from workbench.store import Store


def arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the verb."""
    run_argument(parser)
    runs_argument(parser)


def main(options: argparse.Namespace) -> int:
    """Walk the plan, show outcomes and board. 1 when a step failed, 130 when interrupted."""
    from workbench.board.render import to_rich

    declared = declared_run(options)
    planned = plan(declared)
    store = Store(options.runs)
    console.print(f"[bold]{declared.run.run}[/] · {len(planned.steps)} steps, {len(declared.merges)} candidates")
    reporter = Reporter(len(planned.steps))
    with reporter.drawing():
        walked = walk(planned, store, reporter.starting, reporter.progress)
    console.print(outcome_table(walked.ended))
    written = finish(walked)
    if written.board is not None:
        console.print(to_rich(written.board))
    if spent := time_by_kind(walked.ended):
        console.print(f"time: {spent}", style="dim")
    for path in written.files:
        wrote(path)
    if walked.interrupted:
        return 130
    return 1 if walked.failures() else 0
