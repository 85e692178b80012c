"""A search on the board: what was tried, what it cost, what it came to, and whether that beats simple merges."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from workbench.board import recipe
from workbench.board.escape import printable
from workbench.board.numbers import count, distance, duration, score
from workbench.board.page import Item, Listing
from workbench.board.search_front import front_table
from workbench.board.searched import Candidate, Searched
from workbench.board.summary import TIE

KINDS = 3
"""Reasons that are told, most frequent first."""
STEPS = 3
"""Improvements that are told from either end of a long curve."""

NUMBER = re.compile(r"(?<!\w)\d+(?:\.\d+)?(?:e[+-]?\d+)?(?!\w)")
"""A number of its own: the one in a task's name tells tasks apart."""


def report(search: Searched) -> Listing:
    """What there is to say of a search, and the Pareto front where it has several objectives."""
    told = (
        ("tried", _tried(search)),
        ("asked", _asked(search)),
        ("best", _best(search)),
        ("baselines", _baselines(search)),
        ("against them", _against(search)),
        ("best so far", _curve(search)),
        ("may not be chosen", _broken(search)),
        ("failed", _frequent([one.reason for one in search.tried if one.state == "failed"])),
    )
    return Listing(
        printable(f"Search {search.name}: {search.method} by {search.sampler}"),
        tuple(Item(subject, printable(text)) for subject, text in told if text),
        front_table(search) if len(search.objectives) > 1 and search.front else None,
    )


def _tried(search: Searched) -> str:
    states = {
        "scored": "scored on every item",
        "stopped": "stopped early (their scores are estimates)",
        "failed": "failed",
    }
    counts = {state: sum(one.state == state for one in search.tried) for state in states}
    parts = [f"{counts[state]} {words}" for state, words in states.items() if counts[state]]
    drawn = f"; each is the mean of {search.draws} draws" if search.draws > 1 else ""
    spent = f"in {duration(sum(one.seconds for one in search.tried))}, baselines not counted"
    return f"{count(len(search.tried), 'candidate')} {spent}: {', '.join(parts) or 'none'}{drawn}"


def _asked(search: Searched) -> str:
    """Of candidates that did not fail; "" when all did."""
    if not search.exhaustive:
        return ""
    asked = sum(one.items for one in search.tried if one.state != "failed")
    share = f"{100 * asked / search.exhaustive:.0f} %"
    failed = " of those that did not fail" if any(one.state == "failed" for one in search.tried) else ""
    return f"{asked:,} of the {search.exhaustive:,} items that asking everything{failed} takes ({share})"


def _best(search: Searched) -> str:
    winner = search.winner
    spread = ""
    if winner is not None and winner.spread is not None:
        spread = f" (standard deviation between its {search.draws} draws {distance(winner.spread)})"
    who = search.best if winner is not None else f"{search.best}, a baseline"
    return f"{who}, validation mean {score(search.score)}{spread}: {recipe.line(search.recipe)}"


def _baselines(search: Searched) -> str:
    listed = "; ".join(f"{name}: {score(value)}" for name, value in search.baselines.items())
    values = search.baselines.values()
    if not search.raced or max(values, default=0.0) - min(values, default=0.0) <= TIE:
        return listed
    return f"{listed}. All but the highest may be estimates: those that were behind were stopped early"


def _against(search: Searched) -> str:
    """The highest baseline is never an estimate: the race stops those that are behind."""
    if not search.baselines:
        return ""
    name, highest = max(search.baselines.items(), key=lambda named: named[1])
    ahead = search.score - highest
    if search.winner is None and abs(ahead) <= TIE:
        return f"no candidate is ahead of '{name}': {_nearest(search, highest)}"
    if ahead < -TIE:  # it would have led, had the run's rule let it
        return f"{search.best} is {distance(-ahead)} behind '{name}', which breaks the run's rule and may not be chosen"
    if ahead <= TIE:
        return f"{search.best} equals the best of them, '{name}'"
    lead = f"{search.best} is {distance(ahead)} ahead of the best of them, '{name}'"
    return f"{lead}: optimistic, as it was chosen by these items"


def _nearest(search: Searched, highest: float) -> str:
    if not search.scored:
        return "none that answered every item may be chosen" if search.broken else "none answered every item"
    best = max(search.scored, key=lambda one: (one.values[0], -one.number))
    behind = highest - best.values[0]
    far = "equals it" if behind <= TIE else f"is {distance(behind)} behind"
    return f"the best that answered every item, {best.name}, {far}"


def _curve(search: Searched) -> str:
    """Every improvement among those scored on all items, by number."""
    steps: list[Candidate] = []
    for one in search.scored:
        if not steps or one.values[0] > steps[-1].values[0] + TIE:
            steps.append(one)
    if not steps:
        return ""
    texts = [f"{one.number}: {score(one.values[0])}" for one in steps]
    if len(texts) > 2 * STEPS + 1:
        texts = [*texts[:STEPS], f"{len(texts) - 2 * STEPS} more", *texts[-STEPS:]]
    after = sum(one.number > steps[-1].number for one in search.tried)
    return f"candidate {', '.join(texts)}" + (f"; none better in {after} more" if after else "")


def _broken(search: Searched) -> str:
    if not search.broken:
        return ""
    best = max(search.broken, key=lambda one: (one.values[0], -one.number))
    highest = f"the highest, {best.name}, has {score(best.values[0])}"
    why = _frequent([one.breaks for one in search.broken])
    return f"{len(search.broken)} of those scored on every item ({highest}). {why}"


def _frequent(texts: Iterable[str]) -> str:
    """The most frequent of some sentences, those that differ in numbers alone taken together."""
    kinds: dict[str, list[str]] = {}
    for text in texts:
        kinds.setdefault(NUMBER.sub("0", text), []).append(text)
    ranked = sorted(kinds.values(), key=len, reverse=True)
    told = "; ".join(_kind(alike) for alike in ranked[:KINDS])
    rest = sum(map(len, ranked[KINDS:]))
    return f"{told}; {rest} for other reasons" if rest else told


def _kind(alike: Sequence[str]) -> str:
    if len(alike) == 1:
        return f"once: {alike[0]}"
    return f"{len(alike)} times{'' if len(set(alike)) == 1 else ' with differing numbers'}: {alike[0]}"
