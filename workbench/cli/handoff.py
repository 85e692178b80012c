"""`workbench handoff`: the bundle that aligns the chosen checkpoint of a run."""

from __future__ import annotations

import argparse

from rich.markup import escape

from workbench.cli.common import declared_run, run_argument, runs_argument
from workbench.cli.console import console
from workbench.errors import DataMissing, UserError
from workbench.plan import plan
from workbench.results import replace_handoff
from workbench.run import found_so_far
from workbench.store import Store


def arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the verb."""
    run_argument(parser)
    runs_argument(parser)


def main(options: argparse.Namespace) -> int:
    """Write runs/<run>/handoff/; its align.sh trains and scores."""
    planned, store = plan(declared_run(options)), Store(options.runs)
    if planned.declared.run.handoff is None:
        raise UserError(f"{planned.declared.file}: declares no 'handoff'. Add one with sft, dpo and seed.")
    context = found_so_far(planned, store)
    if planned.select.id not in context.artifacts:
        raise DataMissing(f"{planned.declared.file}: nothing is chosen yet. Run: workbench run {options.run}")
    out = replace_handoff(context, store.root / planned.declared.run.run / "handoff")
    console.print(f"[green]✔[/] {escape(str(out))} · start it with {escape(str(out / 'align.sh'))}", soft_wrap=True)
    return 0
