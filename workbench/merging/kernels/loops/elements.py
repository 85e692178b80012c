"""Arithmetic on blocks, an operation a loop."""

from __future__ import annotations

from typing import Any

from workbench.merging.kernels.compiling import compiled


@compiled
def add(n: int, block: Any, total: Any) -> None:
    """Add a block to a running sum."""
    for j in range(n):
        total[j] += block[j]


@compiled
def divide(n: int, divisor: Any, block: Any) -> None:
    """Divide a block by a number, in place."""
    for j in range(n):
        block[j] = block[j] / divisor


@compiled
def multiply(n: int, factor: Any, block: Any) -> None:
    """Multiply a block with a number, in place."""
    for j in range(n):
        block[j] *= factor


@compiled
def add_scaled(n: int, factor: Any, block: Any, total: Any) -> None:
    """Add a number times a block to a running sum."""
    for j in range(n):
        total[j] += factor * block[j]
