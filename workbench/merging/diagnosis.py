"""A diagnosis as a folder: CSV tables and pictures, whole or not at all."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from workbench.errors import MissingExtra, UserError
from workbench.merging.anatomy import Seat, shortest_ends
from workbench.merging.diagnose import Diagnosis, ExpertFigures, PairFigures, Sums, diagnose
from workbench.merging.heatmap import draw
from workbench.merging.newfolder import new_folder
from workbench.merging.places import open_sources
from workbench.merging.references import read_merge
from workbench.merging.standalone import places_of
from workbench.progress import Progress, silent
from workbench.store import write_text

Cell = str | int | float | None
EXPERT_COLUMNS = ("expert", "elements", "norm", "share", "relative_norm")
PAIR_COLUMNS = ("expert_a", "expert_b", "cosine", "sign_conflict_rate", "both_nonzero")


@dataclass(frozen=True)
class Models:
    """What is compared: folders, or `base folder+adapter folder`."""

    base: str
    experts: tuple[str, ...]


@dataclass(frozen=True)
class Written:
    """A diagnosis that was written; `missing` says what it takes to get the pictures too, if there are none."""

    diagnosis: Diagnosis
    missing: str | None


def models_of_merge(path: Path, base: str | None = None) -> Models:
    """The models that a mergekit YAML mixes, and its base model, or `base` in its stead.

    Raises SpecError with every problem of the file, UserError when there is no base or nothing beside it.
    """
    spec = read_merge(path)
    base = base or spec.base_model
    if base is None:
        raise UserError(
            f"{path}: has no base_model, and a task vector is an expert minus its base. Add it, or pass --base."
        )
    return _beside(base, [entry.model for entry in spec.entries], str(path))


def models_of_list(experts: Sequence[str], base: str | None) -> Models:
    """The models of a list; an adapter folder stands for the base with that adapter. Raises UserError as above."""
    if base is None:
        raise UserError("A task vector is an expert minus its base: name the base model with --base.")
    alone = [
        Path(expert, "adapter_config.json").is_file() and not Path(expert, "config.json").is_file()
        for expert in experts
    ]
    named = [f"{base}+{expert}" if adapter else expert for expert, adapter in zip(experts, alone, strict=True)]
    return _beside(base, named, "the list of models")


def _beside(base: str, models: Sequence[str], where: str) -> Models:
    experts = tuple(dict.fromkeys(model for model in models if Path(model) != Path(base)))
    if not experts:
        raise UserError(f"{where}: holds no model besides the base '{base}'. Add an expert.")
    return Models(base, experts)


def short_names(references: Sequence[str]) -> list[str]:
    """What models are called in tables and pictures: the shortest ends of their paths that differ."""
    paths = [tuple(part for half in name.split("+", 1) for part in Path(half).parts) for name in references]
    if len(set(paths)) < len(paths) or () in paths:
        return list(references)
    ends = shortest_ends(paths, "/")
    return [ends[path] for path in paths]


def write_diagnosis(
    models: Models, out: Path, threads: int = os.cpu_count() or 1, progress: Progress = silent
) -> Written:
    """Diagnose and write tables and pictures into the new folder `out`, which appears whole or not at all.

    Without matplotlib there are tables only. Raises UserError when `out` exists or cannot be written, DataMissing for
    a model that is not there, Incompatible for models that do not fit, StepFailed when the disk is full.
    """
    with new_folder(out) as result:
        base, *experts = open_sources(places_of([models.base, *models.experts]))
        found = diagnose(base, experts, short_names(models.experts), threads, progress)
        write_tables(found, models.experts, result)
        missing = _draw(found, result)
    return Written(found, missing)


def _draw(found: Diagnosis, folder: Path) -> str | None:
    try:
        draw(found, folder)
    except MissingExtra as error:
        return str(error)
    return None


def write_tables(found: Diagnosis, references: Sequence[str], folder: Path) -> None:
    """The figures of experts and of pairs: over the whole model, by layer, by kind of module, by tensor.

    Columns are the fields of ExpertFigures and PairFigures; an empty cell is undefined, or a rank where there is none.
    """
    models = dict(zip(found.experts, references, strict=True))
    whole = found.whole
    _write(
        folder / "experts.csv",
        ("model", *EXPERT_COLUMNS),
        ([models[row.expert], *_cells(row)] for row in found.expert_figures(whole)),
    )
    _write(folder / "pairs.csv", PAIR_COLUMNS, (_cells(row) for row in found.pair_figures(whole)))
    keys: tuple[tuple[str, Callable[[Seat], str]], ...] = (
        ("layer", lambda seat: seat.layer),
        ("module", lambda seat: seat.module),
    )
    for name, key in keys:
        groups = found.by(key)
        _write(folder / f"{name}s.csv", (name, *EXPERT_COLUMNS), _rows(groups, found.expert_figures))
        _write(folder / f"{name}_pairs.csv", (name, *PAIR_COLUMNS), _rows(groups, found.pair_figures))
    _write_tensors(found, folder)


def _write_tensors(found: Diagnosis, folder: Path) -> None:
    seat_columns = ("tensor", "layer", "module")
    experts: list[Sequence[Cell]] = []
    pairs: list[Sequence[Cell]] = []
    for one in found.tensors:
        seat = (one.seat.tensor, one.seat.layer, one.seat.module)
        figures = zip(found.expert_figures(one.sums), one.ranks, strict=True)
        experts += [(*seat, *_cells(row), rank) for row, rank in figures]
        pairs += [(*seat, *_cells(row)) for row in found.pair_figures(one.sums)]
    _write(folder / "tensors.csv", (*seat_columns, *EXPERT_COLUMNS, "rank"), experts)
    _write(folder / "tensor_pairs.csv", (*seat_columns, *PAIR_COLUMNS), pairs)


def _rows(
    groups: dict[str, Sums], figures: Callable[[Sums], Sequence[ExpertFigures | PairFigures]]
) -> Iterable[Sequence[Cell]]:
    return ([name, *_cells(row)] for name, sums in groups.items() for row in figures(sums))


def _cells(row: ExpertFigures | PairFigures) -> list[Cell]:
    return list(vars(row).values())


def _write(path: Path, columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    write_text(path, text.getvalue())
