"""Pictures of a diagnosis: where in the model experts agree or clash, and where each of them moved.

Colour maps are perceptually uniform: Moreland's diverging one (2009), pale where experts are unrelated, and viridis for
shares. White means that a layer has no such module, hatching that a figure is undefined there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from workbench.errors import MissingExtra
from workbench.merging.diagnose import Diagnosis, PairFigures

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DPI = 130
CELL_IN = 0.17
"""Side of a cell in inches: room for a label of 7 points."""
PANEL_LEAST_IN = 2.4
PANELS = 12
"""Pairs on one picture; more go onto further ones."""
COLUMNS = 5
LETTERS = 24
"""Letters of a name that fit over the narrowest panel."""
HATCH: dict[str, Any] = {"facecolor": "white", "edgecolor": "0.6", "hatch": "//////", "linewidth": 0.0}
"""Undefined: a pattern, because every grey is a colour of the diverging map."""


@dataclass(frozen=True)
class Measure:
    """A figure of pairs as a picture: `centre` is what unrelated experts have, `least` the smallest half range.

    Red is where they clash, blue where they agree.
    """

    file: str
    title: str
    label: str
    centre: float
    least: float
    colours: str
    of: Callable[[PairFigures], float | None]


def _percent(share: float | None) -> float | None:
    return None if share is None else 100 * share


MEASURES = (
    Measure(
        "sign_conflicts",
        "Sign conflicts of task vectors",
        "% of the elements that both changed whose signs differ\n(50 % = unrelated)",
        50.0,
        5.0,
        "coolwarm",
        lambda pair: _percent(pair.sign_conflict_rate),
    ),
    Measure(
        "cosines",
        "Cosine of task vectors",
        "cosine of task vectors (-1 to 1)\n(0 = unrelated)",
        0.0,
        0.05,
        "coolwarm_r",
        lambda pair: pair.cosine,
    ),
)


def draw(found: Diagnosis, folder: Path) -> list[Path]:
    """Write the pictures as PNG into `folder`; their paths. Raises MissingExtra without matplotlib.

    sign_conflicts.png and cosines.png have a panel a pair, layers down and kinds of modules across (numbered files
    where there are more than 12 pairs, none for a single expert); delta_norms.png has experts down and layers across.
    """
    try:
        import matplotlib as mpl
    except ImportError as error:
        raise MissingExtra("drawing the heatmaps", "plots") from error
    with mpl.rc_context():
        mpl.rcdefaults()  # pictures do not depend on the user's own settings
        mpl.rcParams["font.size"] = 8
        paths = [_save(_shares(found), folder / "delta_norms.png")]
        for measure in MEASURES if len(found.experts) > 1 else ():
            paths += _pair_pictures(found, measure, folder)
    return paths


def _save(figure: Figure, path: Path) -> Path:
    figure.savefig(path, dpi=DPI, bbox_inches="tight", pad_inches=0.15)
    return path


def _figure(width_in: float, height_in: float) -> Figure:
    # Not through pyplot, which keeps figures and picks a window system.
    from matplotlib.figure import Figure

    return Figure(figsize=(width_in, height_in), layout="constrained")


# --- pairs: layers x kinds of modules --------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Grids:
    """One figure of all pairs: values [pairs, layers, modules], NaN where undefined; there [layers, modules]."""

    layers: tuple[str, ...]
    modules: tuple[str, ...]
    experts: tuple[str, ...]
    pairs: tuple[tuple[int, int], ...]
    values: NDArray[np.float64]
    there: NDArray[np.bool_]


def _grids(found: Diagnosis, measure: Measure) -> Grids:
    cells = found.by(lambda seat: (seat.layer, seat.module))
    layers = tuple(dict.fromkeys(layer for layer, _ in cells))
    modules = tuple(dict.fromkeys(module for _, module in cells))
    pairs = tuple(combinations(range(len(found.experts)), 2))
    values = np.full((len(pairs), len(layers), len(modules)), np.nan)
    there = np.zeros((len(layers), len(modules)), np.bool_)
    for (layer, module), sums in cells.items():
        at = layers.index(layer), modules.index(module)
        there[at] = True
        for i, pair in enumerate(found.pair_figures(sums)):
            value = measure.of(pair)
            values[i, *at] = np.nan if value is None else value
    return Grids(layers, modules, found.experts, pairs, values, there)


def _pair_pictures(found: Diagnosis, measure: Measure, folder: Path) -> list[Path]:
    grids = _grids(found, measure)
    reach = _reach(grids.values - measure.centre, measure.least)
    starts = range(0, len(grids.pairs), PANELS)
    paths = []
    for number, start in enumerate(starts, 1):
        part = f"-{number}" if len(starts) > 1 else ""
        figure = _panels(grids, range(start, min(start + PANELS, len(grids.pairs))), measure, reach)
        paths.append(_save(figure, folder / f"{measure.file}{part}.png"))
    return paths


def _reach(away: NDArray[np.float64], least: float) -> float:
    """Half the range of colours: all but the outermost 2 % of cells, which small tensors such as norms fill."""
    known = np.abs(away[~np.isnan(away)])
    return max(least, float(np.percentile(known, 98))) if known.size else least


def _panels(grids: Grids, shown: Sequence[int], measure: Measure, reach: float) -> Figure:
    rows = math.ceil(len(shown) / COLUMNS)
    columns = math.ceil(len(shown) / rows)
    width = max(PANEL_LEAST_IN, len(grids.modules) * CELL_IN * 1.3)
    figure = _figure(columns * (width + 0.1) + 2.2, rows * (len(grids.layers) * CELL_IN + 0.5) + 2.4)
    axes = figure.subplots(rows, columns, squeeze=False)
    limits = measure.centre - reach, measure.centre + reach
    names = short(grids.experts, int(width * 12) - 4)  # 4 for "and "
    image: Any = None
    for place, axis in enumerate(axes.flat):
        if place >= len(shown):
            axis.axis("off")
            continue
        image = _heatmap(axis, grids.values[shown[place]], grids.there, measure.colours, limits)
        axis.set_title("\nand ".join(names[i] for i in grids.pairs[shown[place]]), fontsize=9, parse_math=False)
        leftmost, lowest = place % columns == 0, place + columns >= len(shown)
        _ticks(axis, grids.modules if lowest else (), grids.layers if leftmost else ())
        axis.set_xlabel("kind of module" if lowest else "")
        axis.set_ylabel("layer" if leftmost else "")
    figure.suptitle(f"{measure.title}, by layer and kind of module", fontsize=11)
    beyond = bool((np.abs(grids.values - measure.centre) > reach).any())
    _colour_bar(figure, image, axes, measure.label, beyond, rows)
    _legend(figure, grids.values[list(shown)], grids.there)
    return figure


def _colour_bar(figure: Figure, image: Any, axes: Any, label: str, beyond: bool, rows: int) -> None:
    """A bar about as high as one row of panels; with arrows when there are values outside its range."""
    extend = "both" if beyond else "neither"
    bar = figure.colorbar(image, ax=axes, extend=extend, shrink=max(0.4, 0.9 / rows), aspect=22, extendfrac=0.03)
    bar.set_label(label)


# --- experts x layers ------------------------------------------------------------------------------------------------


def _shares(found: Diagnosis) -> Figure:
    layers = found.by(lambda seat: seat.layer)
    shares = [[_percent(row.share) for row in found.expert_figures(sums)] for sums in layers.values()]
    values = np.array(shares, np.float64).T  # [experts, layers]
    there = np.ones(values.shape, np.bool_)
    width = max(4.5, len(layers) * CELL_IN * 1.3)
    figure = _figure(width + 2.6, len(found.experts) * 1.5 * CELL_IN + 2.0)
    axis = figure.subplots()
    known = values[~np.isnan(values)]
    image = _heatmap(axis, values, there, "viridis", (0.0, float(known.max()) if known.size else 1.0))
    _ticks(axis, tuple(layers), short(found.experts, 40))
    axis.set_xlabel("layer")
    axis.set_ylabel("expert")
    figure.suptitle("Where each expert moved: share of its squared delta norm", fontsize=11)
    figure.colorbar(image, ax=axis, fraction=0.05).set_label("% of the expert's\nsquared delta norm")
    _legend(figure, values[None], there)
    return figure


# --- parts -----------------------------------------------------------------------------------------------------------


def _heatmap(
    axis: Axes, values: NDArray[np.float64], there: NDArray[np.bool_], colours: str, limits: tuple[float, float]
) -> Any:
    """An image of values [rows, columns]; undefined cells are hatched, absent ones white."""
    from matplotlib.colors import ListedColormap

    axis.patch.set(**HATCH)
    blank = np.ma.masked_where(there, np.zeros(there.shape))
    axis.imshow(blank, ListedColormap(["white"]), aspect="auto")
    low, high = limits
    return axis.imshow(np.ma.masked_invalid(values), colours, vmin=low, vmax=high, aspect="auto")


def _ticks(axis: Axes, across: Sequence[str], down: Sequence[str]) -> None:
    axis.set_xticks(range(len(across)), across, rotation=90, fontsize=7, parse_math=False)
    axis.set_yticks(range(len(down)), down, fontsize=7, parse_math=False)
    axis.tick_params(length=2)


def _legend(figure: Figure, values: NDArray[np.float64], there: NDArray[np.bool_]) -> None:
    """Say what grey and white mean, where they occur."""
    from matplotlib.patches import Patch

    marks = []
    if (np.isnan(values) & there).any():
        marks.append(Patch(label="undefined: an expert did not move here", **{**HATCH, "linewidth": 0.5}))
    if not there.all():
        marks.append(Patch(label="no such module", facecolor="white", edgecolor="0.6", linewidth=0.5))
    if marks:
        figure.legend(handles=marks, loc="outside lower left", ncols=len(marks), frameon=False)


def short(names: Sequence[str], letters: int) -> list[str]:
    """Names of at most `letters` letters, from 24 on. Where one is longer than 24, all are numbered from 1.

    Numbers tell apart what looks alike without its middle, and are the same in every picture.
    """
    if max(map(len, names)) <= LETTERS:
        return list(names)
    return [_cut(f"{number}: {name}", letters) for number, name in enumerate(names, 1)]


def _cut(name: str, letters: int) -> str:
    if len(name) <= letters:
        return name
    end = letters // 2
    return f"{name[: letters - end - 1]}…{name[-end:]}"
