"""What a merge will read, write and take, from headers alone: no weight is read, no heavy library is loaded."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from workbench.merging.headers import TensorHeader
from workbench.specs.merge import MergeSpec

NANOSECONDS: Mapping[str, float] = {
    "linear": 0.5, "passthrough": 0.6, "slerp": 1.3, "nuslerp": 1.0, "multislerp": 1.2, "karcher": 1.1,
    "task_arithmetic": 0.7, "ties": 3.0, "breadcrumbs": 3.7, "breadcrumbs_ties": 3.7, "dare_linear": 2.3,
    "dare_ties": 2.5, "della": 10.5, "della_linear": 10.3, "model_stock": 1.5, "sce": 3.5, "arcee_fusion": 22.0,
}  # fmt: skip
"""Of one core for an element of one expert, reading included; measured with bfloat16 inputs (LOG.md)."""
WRITE_BYTES_A_SECOND = 0.8e9
BASELINE_BYTES = 200_000_000
"""Python, numpy and the compiled loops."""
OUTPUTS_IN_FLIGHT = 4
ELEMENT_BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2}
WRITTEN = {"float32": 4, "float16": 2, "bfloat16": 2}


@dataclass(frozen=True)
class Estimate:
    """Bytes read from and written to disk, bytes of memory at the peak, seconds; None where mergekit computes."""

    read: int
    written: int
    peak: int
    seconds: float | None


@dataclass(frozen=True)
class Reads:
    """One input: headers of its checkpoint, and bytes of an adapter on it."""

    headers: Mapping[str, TensorHeader]
    adapter_bytes: int = 0


def estimate(spec: MergeSpec, inputs: Sequence[Reads], threads: int) -> Estimate:
    """What merging these inputs takes on so many threads, about."""
    first = inputs[0].headers
    elements = {name: math.prod(header.shape) for name, header in first.items()}
    wanted = spec.out_dtype or spec.dtype
    sizes = {
        name: elements[name] * (WRITTEN[wanted] if wanted else ELEMENT_BYTES.get(header.dtype, 4))
        for name, header in first.items()
    }
    read = sum(sum(header.bytes for header in one.headers.values()) + one.adapter_bytes for one in inputs)
    written = sum(sizes.values())
    largest = max(elements, key=lambda name: elements[name])
    held = sum(one.headers[largest].bytes + (4 * elements[largest] if one.adapter_bytes else 0) for one in inputs)
    peak = BASELINE_BYTES + held + OUTPUTS_IN_FLIGHT * sizes[largest]
    cost = NANOSECONDS.get(spec.merge_method) if spec.engine == "kernels" else None
    if cost is None:
        return Estimate(read, written, peak, None)
    others = max(len(inputs) - 1, 1)
    computing = sum(elements.values()) * others * cost * 1e-9 / max(threads, 1)
    return Estimate(read, written, peak, computing + written / WRITE_BYTES_A_SECOND)
