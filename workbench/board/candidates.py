"""The candidates of a search as CSV."""

from __future__ import annotations

import csv
import io

from workbench.board.searched import Searched


def candidates_csv(search: Searched) -> str:
    """All candidates, one a row, unrounded. What is undefined is an empty field.

    Objectives are of candidates that answered every item; `estimate` is the mean of those that were stopped.
    """
    axes = list(dict.fromkeys(axis for one in search.tried for axis in one.point))
    on_front = {one.name for one in search.front} if len(search.objectives) > 1 else set()
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    fronted = ["front"] if len(search.objectives) > 1 else []
    told = ["estimate", "items", "seconds", "reason", "breaks", "spread"]
    writer.writerow(["number", "state", *search.objectives, *fronted, *told, *axes])
    for one in search.tried:
        values = one.values if one.state == "scored" else [""] * len(search.objectives)
        estimate = one.values[0] if one.state == "stopped" else ""
        yes = ["yes" if one.name in on_front else ""] if fronted else []
        rest = [estimate, one.items, one.seconds, one.reason, one.breaks, one.spread]
        writer.writerow([one.number, one.state, *values, *yes, *rest, *(one.point.get(axis) for axis in axes)])
    return text.getvalue()
