"""The tidy table of scores, one row per (model, task, role). The only place that knows pandas."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from typing import Any, TypeAlias

import pandas as pd

from workbench.errors import UserError
from workbench.records import Role, ScoreRow, plain

Frame: TypeAlias = pd.DataFrame
"""A tidy frame: its columns are the fields of ScoreRow, in that order; an undefined number is NaN (NA for a count)."""

COLUMNS = [field.name for field in fields(ScoreRow)]
KEY = ["model_id", "task", "role", "metric"]
UNDEFINED_IS_NAN = ("value", "stderr", "chance")


def tidy(rows: Iterable[ScoreRow]) -> Frame:
    """Score records as a tidy frame, in the order given.

    Raises:
        UserError: a model has two scores for the same task, role and metric, or two models share a name.
    """
    frame = pd.DataFrame([plain(row) for row in rows], columns=COLUMNS)
    frame = frame.astype({**dict.fromkeys(UNDEFINED_IS_NAN, "float64"), "unparsable": "Int64"})
    _refuse_shared_names(frame)
    _refuse_repeats(frame)
    return frame


def for_role(frame: Frame, role: Role) -> Frame:
    """The rows of one role, in the same order, with a fresh index."""
    return frame[frame["role"] == role].reset_index(drop=True)


def score_rows(frame: Frame) -> list[ScoreRow]:
    """The frame's rows as records again: the inverse of `tidy`, NaN becoming None."""
    return [ScoreRow(**_with_none(record)) for record in frame.to_dict("records")]


def csv_text(frame: Frame) -> str:
    """The frame as CSV with a header; an undefined number is an empty field."""
    return str(frame.to_csv(index=False, lineterminator="\n"))


def _with_none(record: Any) -> dict[str, Any]:
    undefined = {name for name in (*UNDEFINED_IS_NAN, "unparsable") if pd.isna(record[name])}
    return {name: None if name in undefined else value for name, value in record.items()}


def _refuse_shared_names(frame: Frame) -> None:
    for name, ids in frame.groupby("model", sort=False)["model_id"].unique().items():
        if len(ids) > 1:
            raise UserError(
                f"{len(ids)} different models are called '{name}' (ids {', '.join(map(str, ids))}). "
                "Rename all but one, or leave out the scores of the older one."
            )


def _refuse_repeats(frame: Frame) -> None:
    repeated = frame[frame.duplicated(KEY, keep=False)]
    if repeated.empty:
        return
    first = repeated.iloc[0]
    same = repeated[(repeated[KEY] == first[KEY]).all(axis=1)]
    names = " and ".join(f"'{name}'" for name in same["model"].unique())
    raise UserError(
        f"{names} (id {first['model_id']}): {len(same)} {first['role']} scores of {first['task']} "
        f"({first['metric']}) for the same weights. Keep one of them."
    )
