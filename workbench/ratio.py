"""A ratio of sums over items, such as bits per byte, and its standard error."""

from __future__ import annotations

import math
from collections.abc import Sequence


def ratio(values: Sequence[float], sizes: Sequence[float]) -> tuple[float, float | None]:
    """R = sum(y) / sum(x) over n items, and its standard error by the delta method; None for fewer than two items.

    Its variance is n / (n - 1) * sum((y_i - R x_i)^2) / sum(x_i)^2 (Cochran, Sampling Techniques, ch. 6). With sizes of
    1 these are the mean and its usual error.
    """
    n, total = len(values), math.fsum(sizes)
    found = math.fsum(values) / total
    if n < 2:
        return found, None
    squares = math.fsum((value - found * size) ** 2 for value, size in zip(values, sizes, strict=True))
    return found, math.sqrt(n / (n - 1) * squares) / total
