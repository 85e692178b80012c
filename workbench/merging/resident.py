"""Candidates without files: base and experts stay in memory, a merge is written straight into a live model.

What a candidate finds out about a task vector (thresholds, norms, inner products) is kept for the next one, so that
most candidates cost one pass that reads base and experts and writes the model. The weights are those that `stream`
would write, bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.errors import Incompatible
from workbench.merging.headers import TensorHeader
from workbench.merging.kernels.group import Operand
from workbench.merging.kernels.passes import Mask, Passes
from workbench.merging.kernels.workers import Workers
from workbench.merging.merger import Merger, overflow
from workbench.merging.sources import Source
from workbench.merging.stream import LARGE, Options, passes_on
from workbench.merging.writer import Slot
from workbench.specs.merge import Input, MergeSpec

_DTYPES = {"torch.float32": "F32", "torch.bfloat16": "BF16", "torch.float16": "F16"}

REMEMBER_BYTES = 4_000_000_000
"""Memory for ranks and masks of task vectors; beyond it each candidate finds its own."""
ENTRY_BYTES = 500
"""What a key takes, and a value without arrays."""


class Held:
    """A source whose tensors are opened, moved to the device and scanned once.

    `passes` must not share out their work: tensors are opened by the threads that would do it.
    """

    def __init__(self, source: Source, passes: Passes) -> None:
        self._source = source
        self._passes = passes
        self._kept: dict[tuple[str, str | None], Operand] = {}
        self.name = source.name
        self.expert = source.expert

    @property
    def folder(self) -> Path:
        """The source's folder."""
        return self._source.folder

    @property
    def tokenizer(self) -> Path:
        """The folder of the source's tokenizer."""
        return self._source.tokenizer

    @property
    def headers(self) -> Mapping[str, TensorHeader]:
        """The source's tensors."""
        return self._source.headers

    @property
    def config(self) -> Mapping[str, Any]:
        """The source's config."""
        return self._source.config

    @property
    def bytes(self) -> int:
        """Bytes that reading the source takes."""
        return self._source.bytes

    def operand(self, tensor: str, about: Source | None, workers: Workers) -> Operand:
        """The tensor as it was opened the first time. Raises Incompatible when it holds NaN or infinity."""
        key = (tensor, None if about is None else about.name)
        if key not in self._kept:
            operand = self._passes.load(self._source.operand(tensor, about, workers))
            if not self._passes.finite(operand):
                raise Incompatible(
                    f"'{self.name}': {tensor} holds NaN or infinity ({self.place(tensor)}). Leave it out."
                )
            self._kept[key] = operand
        return self._kept[key]

    def raw(self, tensor: str) -> NDArray[Any]:
        """The source's elements."""
        return self._source.raw(tensor)

    def place(self, tensor: str) -> Path:
        """The file that holds a tensor."""
        return self._source.place(tensor)

    def ahead(self, tensor: str) -> None:
        """Nothing: it is in memory, or will be kept there."""

    def done(self, tensor: str) -> None:
        """Nothing: the next candidate needs it again."""


class Resident:
    """Inputs held for many candidates. Use as a context manager; `sources` are called by the names of the specs."""

    def __init__(self, sources: Mapping[str, Source], options: Options | None = None) -> None:
        options = options or Options()
        self._pool = ThreadPoolExecutor(options.threads, "resident")
        self._shared = options.device == "cpu"
        self._wide = passes_on(options.device, Workers(self._pool))
        self._narrow = passes_on(options.device, Workers())
        self._sources = {name: Held(source, self._narrow) for name, source in sources.items()}
        self._found: dict[Hashable, Any] = {}
        self._counted: set[int] = set()
        self._room = REMEMBER_BYTES

    def __enter__(self) -> Resident:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()

    def write(self, spec: MergeSpec, model: Any) -> None:
        """Write a candidate into the parameters of a live torch model, in their own dtypes.

        Raises Incompatible when the model has not the tensors of the merge, StepFailed when a result is not finite;
        the model then holds parts of two candidates and must be written again.
        """
        merger = Merger(spec, self._sources, self._remember, scan=False)
        merger.prepare(self._wide)
        targets = parameters(model, merger)
        waiting: list[Future[None]] = []
        try:
            for slot, target in targets:
                if self._shared and target.numel() < LARGE:
                    waiting.append(self._pool.submit(self._write, merger, slot, target, self._narrow))
                else:
                    self._write(merger, slot, target, self._wide)
            for future in waiting:
                future.result()
        finally:  # after a failure: what is written later would be written over the next candidate
            for future in waiting:
                future.cancel()
            wait(waiting)

    def restore(self, name: str, model: Any) -> None:
        """Write one input as it is, such as the base, into a live model."""
        self.write(MergeSpec(merge_method="passthrough", models=[Input(model=name)]), model)

    def _write(self, merger: Merger, slot: Slot, target: Any, passes: Passes) -> None:
        flat = target.view(-1)
        out = passes.empty(len(flat), slot.dtype) if slot.dtype == "F16" else self._view(flat)
        _, good = merger.compute(slot, passes, out)
        if slot.dtype == "F16":
            import torch

            flat.copy_(torch.as_tensor(out))
            good = good and bool(torch.isfinite(flat).all())
        if not good:
            raise overflow(slot)

    def _view(self, flat: Any) -> Any:
        """A parameter's memory as the passes write it."""
        if not self._shared:
            return flat
        import torch

        return flat.view(torch.uint16).numpy() if flat.dtype == torch.bfloat16 else flat.numpy()

    def _remember(self, key: Hashable, compute: Callable[[], Any]) -> Any:
        if key not in self._found:
            value = compute()
            self._keep(key, _Packed(value) if isinstance(value, Mask) and self._shared else value)
            return value
        value = self._found[key]
        return value.mask() if isinstance(value, _Packed) else value

    def _keep(self, key: Hashable, value: Any) -> None:
        arrays = {id(part): part.nbytes for part in (value, *vars_of(value)) if hasattr(part, "nbytes")}
        new = arrays.keys() - self._counted  # ranks are part of every rule that draws by them
        size = ENTRY_BYTES + sum(int(arrays[array]) for array in new)
        if self._room >= size:
            self._room -= size
            self._counted |= new
            self._found[key] = value


class _Packed:
    """A mask in an eighth of its memory."""

    def __init__(self, mask: Mask) -> None:
        self._n = len(mask.bytes)
        self._bits = np.packbits(mask.bytes)

    def mask(self) -> Mask:
        """The mask again."""
        return Mask(np.unpackbits(self._bits, count=self._n))


def vars_of(value: Any) -> tuple[Any, ...]:
    """What a record is made of."""
    return tuple(getattr(value, "__dict__", {}).values())


def parameters(model: Any, merger: Merger) -> list[tuple[Slot, Any]]:
    """The model's tensors in the merge's order, detached, with slots in their dtypes. Raises Incompatible."""
    live = {name: tensor.detach() for name, tensor in (*model.named_parameters(), *model.named_buffers())}
    found = []
    for slot in merger.slots:
        target = live.get(slot.name)
        if target is None or tuple(target.shape) != slot.shape or not target.is_contiguous():
            what = "lacks it" if target is None else f"has it as {tuple(target.shape)}"
            raise Incompatible(f"{slot.name} is {slot.shape} in '{merger.donor.name}', and the live model {what}.")
        if merger.merged(slot):
            if str(target.dtype) not in _DTYPES:
                raise Incompatible(
                    f"{slot.name} is {target.dtype} in the live model, which is no dtype of a merge. Load it in "
                    "float32, bfloat16 or float16."
                )
            found.append((replace(slot, dtype=_DTYPES[str(target.dtype)]), target))
    return found
