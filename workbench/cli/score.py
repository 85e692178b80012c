"""`workbench score`: one model on a suite; or on the suites of a run, among its models on the board."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import get_args

from rich.table import Table
from rich.text import Text

from workbench.cli.common import count, declared_run, runs_argument
from workbench.cli.console import console, working, wrote
from workbench.errors import DataMissing, UserError
from workbench.plan import ROLES, plan
from workbench.records import ScoreRow
from workbench.results import board_of, write_board
from workbench.run import found_so_far
from workbench.score import Card, Model, find_model, score_folder, score_on
from workbench.specs.common import Dtype
from workbench.specs.load import did_you_mean
from workbench.specs.project import Project, load_suite
from workbench.specs.run import Asking
from workbench.store import Store, write_text


def arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the verb."""
    parser.add_argument("model", help="folder of a model, or a base or expert: its name in experts/, or its YAML")
    on = parser.add_mutually_exclusive_group(required=True)
    on.add_argument("--suite", help="a suite in benchmarks/suites/, such as mini")
    on.add_argument("--run", help="a run file, or its name in merges/: both of its suites, and its board")
    parser.add_argument("--against", metavar="MODEL", help="with --suite: paired differences from another model")
    parser.add_argument("--name", help="name on the board (default: that of the folder)")
    parser.add_argument("--limit", type=count, help="so many items of every task (a shortened run)")
    parser.add_argument("--chat", action="store_true", help="with --suite: prompts in the model's chat template")
    parser.add_argument("--dtype", choices=get_args(Dtype), default="bfloat16", help="with --suite (default: bfloat16)")
    parser.add_argument(
        "--batch-size", type=count, default=48, help="with --suite: rows of a batch that generates (48)"
    )
    runs_argument(parser)


def main(options: argparse.Namespace) -> int:
    """Score, show, and write what was shown."""
    return _on_suite(options) if options.suite else _on_board(options)


def _on_suite(options: argparse.Namespace) -> int:
    how = Asking(limit=options.limit, chat=options.chat, dtype=options.dtype, batch_size=options.batch_size)
    file = Project.around(Path.cwd() / "any").suite_file(options.suite)
    if not file.is_file():
        known = sorted(path.stem for path in file.parent.glob("*.yaml"))
        raise UserError(f"suite '{options.suite}' is not in benchmarks/suites/. {did_you_mean(options.suite, known)}")
    project, suite = load_suite(file)
    store = Store(options.runs)
    model = _named(find_model(options.model, project, store), options.name)
    asked = [model, find_model(options.against, project, store)] if options.against else [model]
    cards = []
    for one in asked:
        with working(f"scoring {one.name} on {options.suite}") as progress:
            cards.append(score_on(one, options.suite, suite, how, project, store, progress))
    _show(cards[0], how, *cards[1:])
    _write(cards[0], store.root / "scores")
    return 0


def _named(model: Model, name: str | None) -> Model:
    return model if name is None else Model(name, model.id, model.folder)


def _show(card: Card, how: Asking, other: Card | None = None) -> None:
    from workbench.board.card import HEADER, lines, mean_line

    console.print(Text(f"{card.model.name} on {card.suite}", style="bold"))
    console.print(_table(HEADER, lines(card.rows)))
    if any(row.in_mean for row in card.rows):
        console.print(Text(mean_line(card.rows, len(card.unavailable)), style="bold"))
    if other is not None:
        _compare(card, other)
    for measure in dict.fromkeys(row.measured_by for row in card.rows if row.measured_by):
        console.print(Text(measure, style="dim"))
    if how.limit is not None:
        console.print(Text(f"shortened: {how.limit} items of every task", style="yellow"))
    for one in card.unavailable:
        console.print(Text(f"not asked: {one.task}. {one.reason}", style="dim"), soft_wrap=True)


def _compare(card: Card, other: Card) -> None:
    """Paired differences on the same items; of tasks that are not the mean of their items there are none."""
    from workbench.board.card import AGAINST, against, mean_against
    from workbench.board.paired import differences

    found = differences(card.rows, card.items(), other.rows, other.items())
    console.print()
    console.print(Text(f"{card.model.name} minus {other.model.name}, paired over the same items", style="bold"))
    console.print(_table(AGAINST, against(found, other.rows)))
    console.print(Text(mean_against(found), style="bold"))


def _table(header: Sequence[str], lines: Iterable[Sequence[str]]) -> Table:
    table = Table(box=None, padding=(0, 1), header_style="dim")
    for title in header:
        words = title in ("task", "metric", "remarks")
        table.add_column(title, justify="left" if words else "right", no_wrap=title != "remarks")
    for line in lines:
        table.add_row(*map(Text, line))
    return table


def _write(card: Card, folder: Path) -> None:
    from workbench.board.table import csv_text, tidy

    path = folder / f"{card.model.name}-{card.suite}.csv"
    write_text(path, csv_text(tidy(card.rows)))
    wrote(path)
    wrote(card.artifact.path / "items.jsonl")


def _on_board(options: argparse.Namespace) -> int:
    from workbench.board.render import to_rich

    planned, store = plan(declared_run(options)), Store(options.runs)
    context = found_so_far(planned, store)
    model = _named(find_model(options.model, planned.declared.project, store), options.name)
    extra: list[ScoreRow] = [row for role in ROLES for row in score_folder(context, model, role)]
    board = board_of(context, extra)
    if board is None:
        raise DataMissing(f"{planned.declared.file}: its base is not scored yet. Run: workbench run {options.run}")
    console.print(to_rich(board))
    for path in write_board(board, store.root / planned.declared.run.run):
        wrote(path)
    return 0
