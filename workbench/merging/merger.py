"""One recipe over opened inputs: what is computed for each tensor, wherever the result goes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.errors import Incompatible, StepFailed
from workbench.merging.kernels.group import Group, Kind, Memo, Operand, forget
from workbench.merging.kernels.passes import Passes
from workbench.merging.kernels.table import KERNELS
from workbench.merging.settings import Settings, inputs_of, resolve
from workbench.merging.sources import FLOATS, Source
from workbench.merging.trim import thresholds
from workbench.merging.vocabulary import fill_rows, whole_shape
from workbench.merging.writer import Slot
from workbench.specs.merge import MergeSpec
from workbench.specs.methods import METHODS

SAFETENSORS = {"float32": "F32", "bfloat16": "BF16", "float16": "F16"}
ABOUT_BASE = frozenset(
    name for name in KERNELS if METHODS[name].base != "input" and name not in ("slerp", "arcee_fusion", "multislerp")
)
"""Methods that read task vectors alone."""


SHOWS_ALL = frozenset(
    ("linear", "slerp", "nuslerp", "multislerp", "karcher", "task_arithmetic", "model_stock", "passthrough")
)
"""Methods in whose result every NaN or infinity of an input shows; the others may drop the element that holds it."""


class Merger:
    """One recipe over opened inputs: what to compute for each tensor. Raises Incompatible before a weight is read.

    `memo` keeps what a candidate finds out about a task vector for the next one; `scan` is False for inputs that are
    known to be finite.
    """

    def __init__(self, spec: MergeSpec, sources: Mapping[str, Source], memo: Memo = forget, scan: bool = True) -> None:
        self.spec = spec
        self.kernel = KERNELS[spec.merge_method]
        self.base = sources[spec.base_model] if spec.base_model and METHODS[spec.merge_method].base != "input" else None
        self.models = [sources[entry.model] for entry in inputs_of(spec)]
        self.donor = sources[spec.base_model] if spec.base_model else self.models[0]
        self.memo = memo
        self.scan = scan
        self._thresholds: list[int] = []
        headers = self.donor.headers
        self.tensors = sorted(headers, key=lambda name: (headers[name].file, headers[name].start))
        floats = [name for name in self.tensors if headers[name].dtype in FLOATS]
        self.settings = resolve(spec, floats)
        self.slots = [Slot(name, self._dtype(name), whole_shape(name, self.inputs)) for name in self.tensors]

    def _dtype(self, tensor: str) -> str:
        """The output's element type: what the recipe says, else the smallest that holds all inputs' exactly."""
        theirs = {source.headers[tensor].dtype for source in (*self.inputs, self.donor)}
        if not theirs <= FLOATS.keys():
            return self.donor.headers[tensor].dtype
        wanted = self.spec.out_dtype or self.spec.dtype
        if wanted is not None:
            return SAFETENSORS[wanted]
        if len(theirs) == 1 and theirs != {"F64"}:
            return theirs.pop()
        return "F32"

    @property
    def inputs(self) -> list[Source]:
        """What is read: the models, then the base if the method has one."""
        return [*self.models, *([self.base] if self.base else [])]

    def ahead(self, tensor: str) -> None:
        """Have a tensor's inputs read while others are computed."""
        for source in self.inputs:
            source.ahead(tensor)

    def tensor(self, slot: Slot, passes: Passes, room: Callable[[], Any]) -> NDArray[Any]:
        """The merged tensor, flat, in the slot's element type (bfloat16 as its bits); its inputs' memory is given back.

        `room` gives memory for the result on the passes' device.

        Raises Incompatible for NaN or infinity in an input, StepFailed in the result.
        """
        if not self.merged(slot):
            return self._copied(slot.name)
        out = room()
        operands, good = self.compute(slot, passes, out)
        data = passes.fetch(out)
        if slot.dtype == "F16":
            data, good = _to_float16(data, good)
        if not good:
            self._check_finite(slot.name, operands, passes)
            raise overflow(slot)
        for source in self.inputs:
            source.done(slot.name)
        return data

    def merged(self, slot: Slot) -> bool:
        """Whether a tensor is merged; integers and booleans are copied."""
        return self.donor.headers[slot.name].dtype in FLOATS

    def compute(self, slot: Slot, passes: Passes, out: Any) -> tuple[list[Operand], bool]:
        """Merge a tensor into `out` on the passes' device. What was read, and whether the result is finite.

        Raises Incompatible for NaN or infinity in an input, where the method might drop it.
        """
        operands = self._open(slot, passes)
        if self.scan and self.spec.merge_method not in SHOWS_ALL:
            self._check_finite(slot.name, operands, passes)
        return operands, merge_group(
            self.kernel, passes, self._group(slot, operands, passes), self._settings(slot), out
        )

    def _open(self, slot: Slot, passes: Passes) -> list[Operand]:
        """A tensor of every input on the passes' device, in the order of `inputs`."""
        operands = [source.operand(slot.name, self._about, passes.workers) for source in self.models]
        if self.base is not None:
            operands.append(self.base.operand(slot.name, None, passes.workers))
        return [passes.load(operand) for operand in operands]

    def _group(self, slot: Slot, operands: list[Operand], passes: Passes) -> Group:
        whole = fill_rows(operands, self.base is not None, slot.shape, passes)
        base = whole[-1] if self.base is not None else None
        memo = self.memo if whole is operands else forget  # what was filled in is another with other inputs
        return Group(slot.name, slot.shape, base, tuple(whole[: len(self.models)]), memo)

    def _settings(self, slot: Slot) -> Settings:
        """Settings of a tensor, with the thresholds of its models where the whole model gave one."""
        settings = self.settings[slot.name]
        if not self._thresholds:
            return settings
        each = tuple({**own, "threshold": at} for own, at in zip(settings.each, self._thresholds, strict=True))
        return Settings(settings.shared, each)

    def prepare(self, passes: Passes) -> None:
        """Read what a method must know of the whole model before its first tensor: the thresholds of the TIES paper."""
        if self.spec.variant != "paper" or self.spec.merge_method != "ties":
            return
        slots = [slot for slot in self.slots if self.merged(slot)]
        n = sum(int(np.prod(slot.shape, dtype=np.int64)) for slot in slots)
        filled = any(source.headers[slot.name].shape != slot.shape for slot in slots for source in self.inputs)
        memo = forget if filled else self.memo  # what was filled in is another with other inputs

        def groups() -> Iterator[Group]:
            for slot in slots:
                yield self._group(slot, self._open(slot, passes), passes)
                for source in self.inputs:
                    source.done(slot.name)

        densities = [float(own["density"]) for own in self.settings[slots[0].name].each]
        about = (self.base and self.base.expert, *(source.expert for source in self.models), *densities)
        self._thresholds = memo((about, "thresholds"), lambda: thresholds(groups, n, densities, passes))

    def _check_finite(self, tensor: str, operands: Sequence[Operand], passes: Passes) -> None:
        for source, operand in zip(self.inputs, operands, strict=True):
            if not passes.finite(operand):
                raise Incompatible(
                    f"'{source.name}': {tensor} holds NaN or infinity ({source.place(tensor)}). Mend or leave out that "
                    "model."
                )

    @property
    def _about(self) -> Source | None:
        """The base that inputs may give their task vectors about; methods on whole weights want weights."""
        return self.base if self.spec.merge_method in ABOUT_BASE else None

    def _copied(self, tensor: str) -> NDArray[Any]:
        first = self.donor.raw(tensor)
        for source in self.models:
            if not np.array_equal(first, source.raw(tensor)):
                raise Incompatible(
                    f"{tensor} is no floating-point tensor and differs between '{self.donor.name}' and "
                    f"'{source.name}'. Only equal ones can be kept."
                )
        return first.copy()


def merge_group(kernel: Any, passes: Passes, group: Group, settings: Settings, out: Any) -> bool:
    """Run a kernel; where no model changes the base, the base is all there is to compute."""
    if not group.n:
        return True
    if group.base is not None and group.models and all(model.kind == Kind.ZERO for model in group.models):
        unchanged = Group(group.name, group.shape, None, (group.base,))
        return KERNELS["passthrough"](passes, unchanged, {}, [{"scale": None}], out)
    with np.errstate(all="ignore"):  # what is not finite shows in the result, and is an error then
        return bool(kernel(passes, group, settings.shared, settings.each, out))


def overflow(slot: Slot) -> StepFailed:
    """The error of a result that is not finite."""
    return StepFailed(
        f"{slot.name} came out with NaN or infinity in {slot.dtype}. Lower the weights, or write a wider dtype."
    )


def _to_float16(data: NDArray[Any], good: bool) -> tuple[NDArray[Any], bool]:
    with np.errstate(over="ignore"):
        narrow = data.astype(np.float16)
    return narrow, good and bool(np.isfinite(narrow).all())
