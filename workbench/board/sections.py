"""A board as sections and listings, in plain text that every page shows alike."""

from __future__ import annotations

from collections.abc import Sequence

from workbench.board.columns import PARTIAL, columns, measured_tasks
from workbench.board.escape import printable
from workbench.board.numbers import count
from workbench.board.page import Board, Item, Listing, RowName, Section
from workbench.board.pareto import sentence
from workbench.board.searches import report
from workbench.board.summary import NOTHING, Summary, summarise
from workbench.board.table import for_role, score_rows, tidy
from workbench.records import Role, ScoreRow

ROLES: tuple[Role, ...] = ("test", "validation")
LEGEND = (
    "★ chosen, ○ baseline. Tables: percent ± standard error, best of a column in bold; sentences: scores from 0 to 1. "
    "± of gains: paired, by the items that model and base both answered. #DG: tasks gained on. "
    "CV of gains: std / |mean| of the gains, lower is more even. ↓ lower is better."
)


def sections(board: Board) -> list[Section]:
    """The sections of a board, test first.

    Raises:
        UserError: a role has scores but not the baseline's, or its scores do not compare.
    """
    return [_section(board, role) for role in ROLES]


def listings(board: Board) -> list[Listing]:
    """What follows the tables: unavailable tasks, the choice and why, why not the others, searches, overlap, notes.

    None is empty.
    """
    chosen, lists = board.selection, [_unavailable(board)]
    if chosen is not None:
        reasons = [*chosen.reasons, sentence(board.front, chosen.model, board.baseline)]
        lists += [
            _listing(f"Chosen: {chosen.model}", [("", reason) for reason in reasons if reason]),
            _listing("Not chosen", [(loser.model, loser.reason) for loser in chosen.rejected]),
        ]
    lists += [report(one) for one in board.searches]
    lists.append(_listing("Overlap with training corpora", board.overlap))
    lists.append(_listing("Notes", [("", note) for note in board.notes]))
    return [listing for listing in lists if listing.items]


def _listing(heading: str, items: Sequence[tuple[str, str]]) -> Listing:
    return Listing(printable(heading), tuple(Item(printable(subject), printable(text)) for subject, text in items))


def _unavailable(board: Board) -> Listing:
    return _listing("Unavailable", [(f"{one.task} ({one.role})", one.reason) for one in board.unavailable])


def _section(board: Board, role: Role) -> Section:
    frame = for_role(tidy(board.rows), role)
    if frame.empty:
        return Section(_heading(board, role), f"No {role} score yet", (), (), ())
    rows, summaries = score_rows(frame), summarise(frame, board.baseline, board.gain_errors.get(role, NOTHING))
    tasks = measured_tasks(rows)
    unread = _by_task("Answers that could not be read, scored 0", [(row, row.unparsable or 0) for row in rows])
    cut = _by_task("Prompts cut from the left to fit the model's context", [(row, row.cut) for row in rows])
    footnotes = (_metrics(rows), _partial(summaries, tasks), _unscored(rows), unread, cut)
    return Section(
        heading=_heading(board, role),
        remark=printable(_remark(board, role, tasks)),
        names=tuple(_row_name(board, summary) for summary in summaries),
        columns=columns(rows, summaries, board.baseline),
        footnotes=tuple(printable(note) for note in footnotes if note),
    )


def _row_name(board: Board, summary: Summary) -> RowName:
    chosen = board.selection is not None and board.selection.model == summary.model
    label = printable(board.labels.get(summary.model, ""))
    return RowName(printable(summary.model), label, chosen, baseline=summary.model == board.baseline)


def _heading(board: Board, role: Role) -> str:
    read = {"test": "not read by the choice", "validation": "read by the choice"}[role]
    return role.capitalize() if board.selection is None else f"{role.capitalize()}, {read}"


def _remark(board: Board, role: Role, tasks: int) -> str:
    missing = sum(one.role == role for one in board.unavailable)
    more = f" ({missing} more unavailable)" if missing else ""
    return f"Mean of {count(tasks, 'task')}{more}, gains over {board.baseline}"


def _metrics(rows: Sequence[ScoreRow]) -> str:
    tasks: dict[str, dict[str, None]] = {}
    for row in rows:
        tasks.setdefault(row.metric, {})[row.task] = None
    return "Metrics: " + "; ".join(f"{metric} ({', '.join(names)})" for metric, names in tasks.items())


def _partial(summaries: Sequence[Summary], tasks: int) -> str:
    partial = [one for one in summaries if one.mean is not None and one.tasks_scored < tasks]
    parts = [f"{one.model} {one.tasks_scored} of {count(tasks, 'task')}" for one in partial]
    if not parts:
        return ""
    return f"{PARTIAL} Covers fewer tasks and does not compare with the other means: {'; '.join(parts)}."


def _unscored(rows: Sequence[ScoreRow]) -> str:
    unscored = [row for row in rows if row.unscored]
    parts = [f"{row.model} {row.unscored} of {row.n + row.unscored} on {row.task}" for row in unscored]
    return f"Items that could not be scored: {'; '.join(parts)}." if parts else ""


def _by_task(what: str, counts: Sequence[tuple[ScoreRow, int]]) -> str:
    """How many items of each task, by model: `what: coding (of 46): base 3, ties 5; ...`; "" when there are none."""
    found: dict[str, list[str]] = {}
    for row, number in counts:
        if number:
            found.setdefault(f"{row.task} (of {row.n})", []).append(f"{row.model} {number}")
    parts = [f"{task}: {', '.join(models)}" for task, models in found.items()]
    return f"{what}: {'; '.join(parts)}." if parts else ""
