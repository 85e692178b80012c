"""`workbench diagnose`: how the experts of a merge lie to one another, before or after they are merged."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table
from rich.text import Text

from workbench.cli.console import console, sentence, working
from workbench.errors import UserError

if TYPE_CHECKING:
    from workbench.merging.diagnose import Diagnosis


def arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the verb."""
    parser.add_argument(
        "models", nargs="+", metavar="CONFIG",
        help="a mergekit YAML; or, with --base, one or more models: folders, adapter folders, or BASE+ADAPTER",
    )  # fmt: skip
    parser.add_argument("out", type=Path, metavar="OUT", help="new folder for tables (CSV) and pictures (PNG)")
    parser.add_argument("--base", metavar="FOLDER", help="base model (default: the YAML's base_model)")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="threads on the CPU (default: all)")


def main(options: argparse.Namespace) -> int:
    """Diagnose, write the folder, show the figures of the whole model."""
    from workbench.merging.diagnosis import models_of_list, models_of_merge, write_diagnosis

    first, *others = options.models
    if Path(first).is_dir() or "+" in first or others:
        if files := [name for name in options.models if Path(name).is_file()]:
            raise UserError(f"{files[0]}: is a file among {len(options.models)} models. Give one YAML, or folders.")
        models = models_of_list(options.models, options.base)
    else:
        models = models_of_merge(Path(first), options.base)
    with working("diagnosing") as progress:
        written = write_diagnosis(models, options.out, max(1, options.threads), progress)
    console.print(expert_table(written.diagnosis))
    if len(written.diagnosis.experts) > 1:
        console.print(pair_table(written.diagnosis))
    if written.missing:
        sentence(written.missing)
    console.print(f"[green]✔[/] {escape(str(options.out))}", soft_wrap=True)
    return 0


def expert_table(found: Diagnosis) -> Table:
    """How far each expert moved, and the layer and kind of module with the largest part of it."""
    table = _table("expert", "delta norm", "of base norm", "most in layer", "most in module")
    layers, modules = (
        {name: found.expert_figures(sums) for name, sums in found.by(key).items()}
        for key in (lambda seat: seat.layer, lambda seat: seat.module)
    )
    for i, row in enumerate(found.expert_figures(found.whole)):
        peaks = [
            max(((figures[i].share or 0.0, name) for name, figures in groups.items()), key=lambda peak: peak[0])
            for groups in (layers, modules)
        ]
        table.add_row(
            Text(row.expert), f"{row.norm:#.4g}", _percent(row.relative_norm, 2),
            *(Text(f"{name} ({_percent(share, 0)})" if row.norm else "-") for share, name in peaks),
        )  # fmt: skip
    return table


def pair_table(found: Diagnosis) -> Table:
    """How every pair lies to one another over the whole model."""
    table = _table("pair", "", "cosine", "sign conflicts")
    for row in found.pair_figures(found.whole):
        cosine = "-" if row.cosine is None else f"{row.cosine:+.4f}"
        table.add_row(Text(row.a), Text(row.b), cosine, _percent(row.sign_conflict_rate, 2))
    return table


def _table(*columns: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for name in columns:
        numbers = name in ("delta norm", "of base norm", "cosine", "sign conflicts")
        table.add_column(name, justify="right" if numbers else "left")
    return table


def _percent(share: float | None, digits: int) -> str:
    return "-" if share is None else f"{100 * share:.{digits}f} %"
