"""How numbers are written on the board and in its sentences. Scores are 0 to 1; a missing one is a dash."""

from __future__ import annotations

import math

MISSING = "\N{EN DASH}"
Z_95 = 1.96
"""Standard errors on either side of a normal 95 % interval."""


def count(number: int, noun: str) -> str:
    """`1 task`, `2 tasks`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def score(value: float | None) -> str:
    """A score in a sentence: three decimals."""
    return MISSING if value is None else f"{_no_minus_zero(value, 3):.3f}"


def distance(value: float) -> str:
    """A positive difference in a sentence, never rounded down to nothing."""
    return f"{value:.3f}" if value >= 0.0005 else f"{value:.1g}"


def with_error(value: float, stderr: float | None, signed: bool = False) -> str:
    """`0.412 ± 0.021`, without the error when it is undefined, with the sign of the value on request."""
    text = f"{_no_minus_zero(value, 3):+.3f}" if signed else score(value)
    return text if stderr is None else f"{text} ± {stderr:.3f}"


def percent(value: float | None, signed: bool = False) -> str:
    """A score in the table: percent with one decimal."""
    if value is None:
        return MISSING
    rounded = _no_minus_zero(100 * value, 1)
    return f"{rounded:+.1f}" if signed else f"{rounded:.1f}"


def plus_minus(stderr: float | None) -> str:
    """A standard error in the table, in percent; nothing when undefined."""
    return "" if stderr is None else f"±{100 * stderr:.1f}"


def raw(value: float | None) -> str:
    """A value that is not a share of anything, such as bits per byte: three decimals."""
    return MISSING if value is None else f"{_no_minus_zero(value, 3):.3f}"


def duration(seconds: float) -> str:
    """`52 s`, `41 min`, `6.5 h`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def ratio(value: float | None) -> str:
    """A CV of gains: one decimal."""
    return MISSING if value is None else f"{value:.1f}"


def difference_stderr(one: float | None, other: float | None) -> float | None:
    """Standard error of the difference of two means, as if unpaired; None if either is undefined."""
    return None if one is None or other is None else math.hypot(one, other)


def noise(difference: float, stderr: float | None) -> str:
    """`within noise` for a difference of at most 1.96 standard errors, else `beyond noise`; empty if undefined."""
    if stderr is None:
        return ""
    return "within noise" if abs(difference) <= Z_95 * stderr else "beyond noise"


def _no_minus_zero(value: float, digits: int) -> float:
    return round(value, digits) + 0.0
