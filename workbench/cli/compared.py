"""The base against what each pass of a training left, on the documents that no training reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from workbench.training.held_out import HeldOut

ROWS: Mapping[str, Callable[[HeldOut], str]] = {
    "loss, nats a token": lambda found: f"{found.loss:.4f}",
    "deviation between documents": lambda found: f"{found.deviation:.4f}",
    "perplexity": lambda found: f"{found.perplexity:.2f}",
    "samples a second": lambda found: f"{found.samples_per_second:.2f}",
    "documents": lambda found: f"{found.documents:,}",
    "tokens": lambda found: f"{found.tokens:,}",
}

NOTHING = (
    "No document is held out, so the base is not compared: of a corpus with keys, one document in fifty is, which may "
    "be none of a small one."
)


def compared(training: Mapping[str, Any]) -> Iterator[RenderableType]:
    """A table of a training's record (training.json), base and passes a column each; a line if nothing was measured."""
    found = measured(training)
    if "base" not in found:
        yield Text(NOTHING, style="dim")
        return
    table = Table(box=None, padding=(0, 1), header_style="bold")
    table.add_column("held-out documents")
    for name in found:
        table.add_column(name, justify="right")
    for row, written in ROWS.items():
        table.add_row(row, *(written(one) for one in found.values()))
    yield table


def measured(training: Mapping[str, Any]) -> dict[str, HeldOut]:
    """What was measured, by column: `base`, then `tuned`, or `pass 1`, `pass 2`, ... where there are several."""
    from workbench.training.held_out import HeldOut

    passes = [one.get("held_out") for one in training.get("passes", [])]
    names = ["tuned"] if len(passes) == 1 else [f"pass {n}" for n, _ in enumerate(passes, 1)]
    every = {"base": training.get("held_out"), **dict(zip(names, passes, strict=True))}
    return {name: HeldOut(**raw) for name, raw in every.items() if raw}
