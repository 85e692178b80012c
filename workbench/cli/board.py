"""`workbench board`: the leaderboard of what a run has scored so far."""

from __future__ import annotations

import argparse

from workbench.cli.common import declared_run, run_argument, runs_argument
from workbench.cli.console import console, wrote
from workbench.errors import DataMissing
from workbench.plan import plan
from workbench.results import board_of, write_board
from workbench.run import found_so_far
from workbench.store import Store


def arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the verb."""
    run_argument(parser)
    runs_argument(parser)


def main(options: argparse.Namespace) -> int:
    """Show and write the board; nothing is scored."""
    from workbench.board.render import to_rich

    planned, store = plan(declared_run(options)), Store(options.runs)
    board = board_of(found_so_far(planned, store))
    if board is None:
        raise DataMissing(f"{planned.declared.file}: its base is not scored yet. Run: workbench run {options.run}")
    console.print(to_rich(board))
    for path in write_board(board, store.root / planned.declared.run.run):
        wrote(path)
    return 0
