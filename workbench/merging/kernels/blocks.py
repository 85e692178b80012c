"""Blocks of one tensor in float32: the loops that numba compiles, written once for every method.

A pass walks a tensor in blocks of 2,048 elements. All that happens between reading the inputs and writing the result
happens on a block, in float32, inside the cache of a core: memory is read once and written once a pass. Loops are
plain, without `fastmath`: LLVM may neither reorder a sum nor fuse a product into it, so results do not depend on the
processor's vector width.

Tensors come by address and element kind, because a merge has any number of inputs of any mix of dtypes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import carray, types  # type: ignore[attr-defined]
from numba.extending import intrinsic

from workbench.merging.kernels.compiling import compiled

BLOCK = 2048
"""Elements of a block; also the tile of the random numbers (draws.py)."""
LANES = 64
"""Partial sums of a block. Fixed, so that a sum is the same bits on every device."""

F32, BF16, DELTA, ZERO = 0, 1, 2, 3
"""Kinds of an operand: float32 or bfloat16 weights, a float32 task vector, a task vector that is zero throughout."""

MAGNITUDE = np.uint32(0x7FFFFFFF)
INFINITE = np.uint32(0x7F800000)


def _pointer(element: Any) -> Any:
    @intrinsic
    def to_pointer(_context: Any, address: Any) -> Any:
        def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return builder.inttoptr(arguments[0], context.get_value_type(signature.return_type))

        pointer: Any = types.CPointer
        return pointer(element)(address), build

    return to_pointer


as_f32, as_u32, as_u16, as_u8 = (
    _pointer(element) for element in (types.float32, types.uint32, types.uint16, types.uint8)
)


@compiled
def _widen(address: int, n: int, out: Any) -> None:
    source, bits = carray(as_u16(address), (n,)), out.view(np.uint32)
    for j in range(n):
        bits[j] = np.uint32(source[j]) << np.uint32(16)


@compiled
def _copy(address: int, n: int, out: Any) -> None:
    source = carray(as_f32(address), (n,))
    for j in range(n):
        out[j] = source[j]


@compiled
def _zero(n: int, out: Any) -> None:
    for j in range(n):
        out[j] = np.float32(0)


@compiled
def _subtract(n: int, base: Any, out: Any) -> None:
    for j in range(n):
        out[j] -= base[j]


@compiled
def read(address: int, kind: int, start: int, n: int, out: Any) -> None:
    """Elements [start, start + n) as float32 into `out`."""
    # A loop a function: numba gives the counters of one function one variable, and LLVM then vectorises none of them.
    if kind == BF16:
        _widen(address + 2 * start, n, out)
    elif kind == ZERO:
        _zero(n, out)
    else:
        _copy(address + 4 * start, n, out)


@compiled
def read_delta(address: int, kind: int, start: int, n: int, base: Any, out: Any) -> None:
    """Elements [start, start + n) of the task vector into `out`; `base` is the base's block."""
    read(address, kind, start, n, out)
    if kind in (F32, BF16):
        _subtract(n, base, out)


@compiled
def read_all(
    addresses: Any, kinds: Any, operands: int, about_base: bool, start: int, n: int, base: Any, blocks: Any
) -> None:
    """The first `operands` inputs into blocks [operands, BLOCK]: as they are, or about the base's block in `base`."""
    if about_base:
        read(addresses[-1], kinds[-1], start, n, base)
    for e in range(operands):
        if about_base:
            read_delta(addresses[e], kinds[e], start, n, base, blocks[e])
        else:
            read(addresses[e], kinds[e], start, n, blocks[e])


@compiled
def _round(address: int, n: int, bits: Any) -> Any:
    target = carray(as_u16(address), (n,))
    bad = np.uint32(0)
    for j in range(n):
        value = bits[j]
        rounded = np.uint32(np.uint32(value + np.uint32(0x7FFF)) + ((value >> np.uint32(16)) & np.uint32(1)))
        rounded = rounded >> np.uint32(16)
        bad |= np.uint32((value & INFINITE) == INFINITE) | np.uint32((rounded & np.uint32(0x7F80)) == np.uint32(0x7F80))
        target[j] = np.uint16(rounded)
    return bad == 0


@compiled
def _store(address: int, n: int, block: Any, bits: Any) -> Any:
    target = carray(as_f32(address), (n,))
    bad = np.uint32(0)
    for j in range(n):
        bad |= np.uint32((bits[j] & INFINITE) == INFINITE)
        target[j] = block[j]
    return bad == 0


@compiled
def write(address: int, kind: int, start: int, n: int, block: Any) -> Any:
    """Round a block to the kind of the output, to nearest even. False when a value is not finite there."""
    if kind == BF16:
        return _round(address + 2 * start, n, block.view(np.uint32))
    return _store(address + 4 * start, n, block, block.view(np.uint32))


@compiled
def lane_sum(block: Any, n: int, lanes: Any) -> float:
    """Sum of |block[:n]| in float64: 64 running sums, then halved. The order of additions is part of the result."""
    lanes[:] = 0.0
    whole = n // LANES
    for row in range(whole):
        for lane in range(LANES):
            lanes[lane] += np.float64(abs(block[row * LANES + lane]))
    for lane in range(n - whole * LANES):
        lanes[lane] += np.float64(abs(block[whole * LANES + lane]))
    half = LANES // 2
    while half:
        for lane in range(half):
            lanes[lane] += lanes[lane + half]
        half //= 2
    return float(lanes[0])
