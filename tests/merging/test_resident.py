"""Candidates in a live model: the bits that `stream` writes, whatever was written before."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from itertools import permutations, product
from pathlib import Path
from typing import Any

import pytest
import tiny
import torch
from transformers import AutoModelForCausalLM

from workbench.errors import Incompatible, StepFailed
from workbench.merging import resident as module
from workbench.merging.adapters import Adapted
from workbench.merging.kernels.table import KERNELS
from workbench.merging.merger import Merger
from workbench.merging.resident import Resident
from workbench.merging.sources import Checkpoint, Source
from workbench.merging.stream import Options, stream
from workbench.specs.merge import MergeSpec
from workbench.specs.methods import METHODS

DTYPES = [torch.float32, torch.bfloat16, torch.float16]
GIVEN = {"density": 0.4, "epsilon": 0.1, "gamma": 0.05}
NAMES = ("notes", "codes", "guides", "lora", "base")
Tensors = dict[str, torch.Tensor]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A base in bfloat16, with zeros of both signs; three experts in float32, one of them far away; an adapter."""
    root = tmp_path_factory.mktemp("resident")
    base = tiny.save_model(root / "base", dtype=torch.bfloat16)
    weights = tiny.weights_of(base)
    weights["model.norm.weight"][:4] = torch.tensor([-0.0, 0.0, 1e-40, -1e-40])
    tiny.save_file(weights, base / "model.safetensors", metadata={"format": "pt"})
    experts = [tiny.save_expert(base, root / n, i, size=0.02 * 4**i) for i, n in enumerate(NAMES[:3])]
    return dict(zip(NAMES, [*experts, tiny.save_adapter(base, root / "lora"), base], strict=True))


def opened(folders: dict[str, Path]) -> dict[str, Source]:
    """All inputs by their names."""
    base = Checkpoint("base", "base", folders["base"])
    sources: dict[str, Source] = {n: Checkpoint(n, n, folders[n]) for n in NAMES[:3]}
    return {**sources, "lora": Adapted("lora", "lora", base, folders["lora"]), "base": base}


def live(folders: dict[str, Path], dtype: torch.dtype = torch.float32) -> Any:
    """A model to be written into, that holds other weights."""
    model = AutoModelForCausalLM.from_pretrained(folders["notes"], dtype=dtype)
    for parameter in model.parameters():
        parameter.data.fill_(7)
    return model


def held(model: Any) -> Tensors:
    """The parameters as they are now."""
    return {name: parameter.detach().clone() for name, parameter in model.named_parameters()}


def streamed(spec: MergeSpec, folders: dict[str, Path], out: Path, dtype: torch.dtype) -> Tensors:
    """What `stream` writes of a recipe in some dtype."""
    out.mkdir(parents=True)
    written = spec.model_copy(update={"out_dtype": str(dtype).removeprefix("torch.")})
    stream(Merger(written, opened(folders)), out, Options(threads=1))
    return tiny.weights_of(out)


def assert_same(found: Tensors, wanted: Tensors, what: object = "") -> None:
    """Equal to the bit, the sign of zero included."""
    assert found.keys() == wanted.keys()
    for name, tensor in wanted.items():
        assert found[name].dtype == tensor.dtype
        kind = torch.int32 if tensor.dtype == torch.float32 else torch.int16
        assert torch.equal(found[name].view(kind), tensor.view(kind)), (name, what)


def spec(method: str, *experts: str, base: str | None = "base", **changes: Any) -> MergeSpec:
    """A recipe by names, with parameters that make the method do what it is for. `each`: of every expert."""
    row = METHODS[method]
    each = {**{name: value for name, value in GIVEN.items() if name in row.each}, **changes.pop("each", {})}
    weights = [{"weight": 0.5 + 0.2 * i} if "weight" in row.each else {} for i in range(len(experts))]
    raw = {
        "merge_method": method,
        "models": [{"model": e, "parameters": {**w, **each}} for e, w in zip(experts, weights, strict=True)],
        **({"base_model": base} if base and row.base != "input" else {}),
        **({"seed": 7} if row.seeded else {}),
        "parameters": {**({"t": 0.3} if "t" in row.shared else {}), **changes.pop("parameters", {})},
    }
    return MergeSpec.model_validate(raw | changes)


def usual(method: str) -> MergeSpec:
    """As many experts as the method takes, an adapter among them."""
    return spec(method, *("lora", "notes", "codes")[: METHODS[method].others[1]])


@pytest.fixture(params=["alone", "threads", "shared", "device"])
def resident(
    request: pytest.FixtureRequest, folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Resident]:
    """One thread; a thread a tensor; tensors that threads share; torch in place of loops, as on a GPU."""
    if request.param == "shared":
        monkeypatch.setattr(module, "LARGE", 1000)
    device = "cpu:0" if request.param == "device" else "cpu"
    with Resident(opened(folders), Options(1 if request.param == "alone" else 3, device)) as made:
        yield made


@pytest.fixture(scope="module")
def files(folders: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, torch.dtype], Tensors]:
    """What `stream` writes by each method in each dtype."""
    root = tmp_path_factory.mktemp("files")
    return {
        (method, dtype): streamed(usual(method), folders, root / method / str(dtype), dtype)
        for method, dtype in product(KERNELS, DTYPES)
    }


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_every_kernel_writes_the_bits_of_stream(
    dtype: torch.dtype, resident: Resident, folders: dict[str, Path], files: dict[tuple[str, torch.dtype], Tensors]
) -> None:
    model = live(folders, dtype)
    for method in KERNELS:
        for _ in range(2):  # the second time from what was remembered
            resident.write(usual(method), model)
            assert_same(held(model), files[method, dtype], method)


@pytest.mark.parametrize("dtype", DTYPES[:2], ids=str)
def test_restore_gives_the_base_back_to_the_bit(
    dtype: torch.dtype, resident: Resident, folders: dict[str, Path]
) -> None:
    model = live(folders, dtype)
    for method in ("dare_ties", "slerp"):
        resident.write(usual(method), model)
        resident.restore("base", model)
        assert_same(held(model), {n: t.to(dtype) for n, t in tiny.weights_of(folders["base"]).items()})


def leaky() -> list[MergeSpec]:
    """Candidates that differ in one thing each: whatever a memo's key forgets, two of these share."""
    found: list[MergeSpec] = []
    for method, row in METHODS.items():
        if not row.kernel:
            continue
        names = NAMES[:3]
        counts = {2: (2, 3), 1: (1, 2, 3)}[row.others[0]] if row.others[1] is None else (row.others[1],)
        orders = [order for count in counts for order in permutations(names, count)]
        bases: Sequence[str | None] = {"required": ("base",), "optional": ("base", None), "input": (None,)}[row.base]
        found += [spec(method, *order, base=base) for order in orders[:: 2 if len(orders) > 6 else 1] for base in bases]
        some = names[: row.others[1] or 2]
        if row.base != "input":  # an expert of one candidate is the base of another
            found.append(spec(method, *("base", "codes")[: len(some)], base="notes"))
            found.append(spec(method, *("base", "notes")[: len(some)], base="guides"))
        for name, values in {"density": (0.2, 0.5, 0.7), "gamma": (0.0, 0.3), "epsilon": (0.05, 0.2)}.items():
            found += [spec(method, *some, each={name: value}) for value in values if name in row.each]
        for name, value in (
            ("rescale", False), ("rescale", True), ("normalize", False), ("normalize", True), ("lambda", 0.5),
            ("t", 0.8), ("select_topk", 0.1), ("select_topk", 0.5), ("select_topk", 0.0), ("filter_wise", True),
            ("nuslerp_flatten", False), ("max_iter", 1),
        ):  # fmt: skip
            if name in row.shared:
                found.append(spec(method, *some, parameters={name: value}))
        if "nuslerp_flatten" in row.shared:
            found.append(spec(method, *some, parameters={"nuslerp_flatten": False, "nuslerp_row_wise": True}))
        if row.seeded:
            found += [spec(method, *some, seed=seed) for seed in (0, 8)]
        if row.paper:
            found += [spec(method, *some, variant="paper", each={"density": d}) for d in (0.2, 0.6)]
            found.append(spec(method, *some[::-1], variant="paper"))
            found.append(spec(method, *("base", "codes")[: len(some)], base="notes", variant="paper"))
    return found


def test_nothing_remembered_leaks_into_another_candidate(folders: dict[str, Path]) -> None:
    model, candidates = live(folders), leaky()
    wanted = []
    for one in candidates:  # each by an engine that has seen nothing else
        with Resident(opened(folders), Options(threads=1)) as alone:
            alone.write(one, model)
        wanted.append(held(model))
    assert len({tuple(t.numpy().tobytes() for t in one.values()) for one in wanted}) > 0.8 * len(candidates)
    order = torch.randperm(len(candidates), generator=torch.Generator().manual_seed(1)).tolist()
    with Resident(opened(folders), Options(threads=2)) as shared:
        for i in (*range(len(candidates)), *order[::2]):
            shared.write(candidates[i], model)
            assert_same(held(model), wanted[i], candidates[i])


def test_a_fresh_engine_is_stream(folders: dict[str, Path], tmp_path: Path) -> None:
    # What the test above compares with, itself compared with files, for a few that are not in the usual ones.
    model = live(folders)
    for i, one in enumerate(leaky()[::23]):
        with Resident(opened(folders), Options(threads=1)) as alone:
            alone.write(one, model)
        assert_same(held(model), streamed(one, folders, tmp_path / str(i), torch.float32), one)


@pytest.mark.parametrize("room", [0, 20_000])
def test_without_room_to_remember_the_bits_are_the_same(
    room: int,
    folders: dict[str, Path],
    files: dict[tuple[str, torch.dtype], Tensors],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "REMEMBER_BYTES", room)
    model = live(folders)
    with Resident(opened(folders), Options(threads=2)) as small:
        for method in ("della", "sce", "ties", "dare_ties"):
            for _ in range(2):
                small.write(usual(method), model)
                assert_same(held(model), files[method, torch.float32], method)


def test_what_is_remembered_is_bounded(folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    model = live(folders)
    monkeypatch.setattr(module, "REMEMBER_BYTES", 300_000)
    with Resident(opened(folders), Options(threads=1)) as small:
        for seed in range(12):
            small.write(spec("della", "notes", "codes", seed=seed, each={"density": 0.4 + seed / 100}), model)
            small.write(spec("sce", "notes", "codes", parameters={"select_topk": 0.5 + seed / 100}), model)
        arrays = {
            id(part): part.nbytes
            for value in small._found.values()
            for part in (value, *getattr(value, "__dict__", {}).values())
            if hasattr(part, "nbytes")
        }
        assert 100_000 < sum(arrays.values()) <= 300_000


# --- models that do not fit ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("change", ["lacks", "shape", "dtype", "strided"])
def test_a_model_that_does_not_fit_is_refused_before_anything_is_written(
    change: str, resident: Resident, folders: dict[str, Path]
) -> None:
    model = live(folders)
    norm = model.model.norm
    if change == "lacks":
        del norm.weight
    elif change == "shape":
        norm.weight = torch.nn.Parameter(torch.full((33,), 7.0))
    elif change == "dtype":
        norm.weight = torch.nn.Parameter(torch.full((32,), 7.0, dtype=torch.float64))
    else:
        norm.weight = torch.nn.Parameter(torch.full((64,), 7.0)[::2])
    with pytest.raises(Incompatible, match=r"^model\.norm\.weight is "):
        resident.write(usual("ties"), model)
    assert all((tensor == 7).all() for tensor in held(model).values())


def test_inputs_that_are_not_finite_are_named(folders: dict[str, Path], tmp_path: Path) -> None:
    broken = tiny.copy(folders["notes"], tmp_path / "broken")
    weights = tiny.weights_of(broken)
    weights["model.norm.weight"][5] = torch.nan
    tiny.save_file(weights, broken / "model.safetensors", metadata={"format": "pt"})
    sources = {**opened(folders), "notes": Checkpoint("broken", "broken", broken)}
    with (
        Resident(sources, Options(threads=2)) as made,
        pytest.raises(Incompatible, match=r"^'broken': model\.norm\.weight holds NaN or infinity \(.*\)\."),
    ):
        made.write(usual("dare_ties"), live(folders))


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32], ids=str)
def test_a_result_that_is_not_finite_is_told_and_the_next_candidate_is_whole(
    dtype: torch.dtype, resident: Resident, folders: dict[str, Path], tmp_path: Path
) -> None:
    model = live(folders, dtype)
    huge = spec("task_arithmetic", "notes", each={"weight": 1e30}, parameters={"lambda": 1e30})
    with pytest.raises(StepFailed, match=r"came out with NaN or infinity in F(16|32)\. Lower the weights"):
        resident.write(huge, model)
    resident.write(usual("ties"), model)
    assert_same(held(model), streamed(usual("ties"), folders, tmp_path / "ties", dtype))


def test_a_candidate_that_failed_writes_no_more(folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    # Else its last tensors would be written over those of the next candidate.
    compute, slow, restored = Merger.compute, usual("ties"), threading.Event()

    def delayed(merger: Merger, slot: Any, passes: Any, out: Any) -> Any:
        if merger.spec == slow:
            if slot.name == merger.slots[0].name:
                raise StepFailed("out of luck")
            if slot.name == merger.slots[1].name:
                restored.wait(0.5)
        return compute(merger, slot, passes, out)

    monkeypatch.setattr(Merger, "compute", delayed)
    model = live(folders)
    with Resident(opened(folders), Options(threads=4)) as made:
        with pytest.raises(StepFailed, match="out of luck"):
            made.write(slow, model)
        made.restore("base", model)
        restored.set()
    assert_same(held(model), {n: t.float() for n, t in tiny.weights_of(folders["base"]).items()})
