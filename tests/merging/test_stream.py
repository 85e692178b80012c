"""Disk to disk: the same bytes however they are computed and laid out, any dtype, and nothing half written."""

from __future__ import annotations

import errno
import json
import struct
import subprocess
import sys
from collections.abc import Iterable, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from workbench.errors import Incompatible, StepFailed
from workbench.ids import file_sha256
from workbench.merging import writer
from workbench.merging.finish import write_config
from workbench.merging.kernels.table import KERNELS
from workbench.merging.merger import Merger
from workbench.merging.sources import Checkpoint
from workbench.merging.stream import Options, stream
from workbench.specs.merge import MergeSpec
from workbench.specs.methods import METHODS

WEIGHTS = "model.safetensors"
DTYPES = {
    torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.int64: "I64",
    torch.bool: "BOOL",
}  # fmt: skip
Tensors = dict[str, torch.Tensor]

every_kernel = pytest.mark.parametrize("method", list(KERNELS))


def write_file(path: Path, tensors: Iterable[tuple[str, torch.Tensor]], rest: int = 0) -> None:
    """A safetensors file by hand: tensors in the given order; `rest` is its header's length modulo 8."""
    entries: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    data = b""
    for name, tensor in tensors:
        part = tensor.contiguous().view(-1).view(torch.uint8).numpy().tobytes()
        offsets = [len(data), len(data) + len(part)]
        entries[name] = {"dtype": DTYPES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": offsets}
        data += part
    text = json.dumps(entries).encode()
    text += b" " * ((rest - len(text)) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def folder_of(folder: Path, tensors: Tensors, **layout: Any) -> Path:
    """A checkpoint of no architecture: its tensors in listed order, and an empty config."""
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    write_file(folder / WEIGHTS, tensors.items(), **layout)
    return folder


def streamed(spec: MergeSpec, folders: Sequence[Path], out: Path, **options: Any) -> dict[str, str]:
    """Stream folders in the order of `recipe` into `out`; the sha256 of its files."""
    out.mkdir()
    merger = Merger(spec, {str(i): Checkpoint(folder.name, folder.name, folder) for i, folder in enumerate(folders)})
    return stream(merger, out, Options(**{"threads": 2, **options}))


def random_tensors(seed: int, like: Tensors | None = None) -> Tensors:
    """A few random tensors, one of them so large that threads share it; or others around them."""
    generator = torch.Generator().manual_seed(seed)
    if like is not None:
        return {n: t + 0.003 * torch.randn(t.shape, generator=generator) for n, t in like.items()}
    shapes = {"layers.0.large": (1030, 1100), "layers.0.small": (64, 48), "layers.1.small": (64, 48), "norm": (576,)}
    return {name: 0.02 * torch.randn(shape, generator=generator) for name, shape in shapes.items()}


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two experts and their base."""
    root = tmp_path_factory.mktemp("large")
    tensors = random_tensors(0)
    experts = [folder_of(root / name, random_tensors(i, tensors)) for i, name in enumerate(("notes", "codes"), 1)]
    return [*experts, folder_of(root / "base", tensors)]


def some(method: str, **fields: Any) -> MergeSpec:
    """A recipe that makes a method do what it is for."""
    given = {"density": 0.4, "epsilon": 0.2, "gamma": 0.05}
    each = {name: value for name, value in given.items() if name in METHODS[method].each}
    return tiny.recipe(method, (0.5, 0.9), each=each, **fields)


def chosen(method: str, folders: list[Path]) -> list[Path]:
    return tiny.inputs(method, folders[:-1], folders[-1])


# --- the same bytes --------------------------------------------------------------------------------------------------


@every_kernel
def test_any_number_of_threads_writes_the_same_bytes(method: str, large: list[Path], tmp_path: Path) -> None:
    found = [
        streamed(some(method, out_dtype="bfloat16"), chosen(method, large), tmp_path / str(threads), threads=threads)
        for threads in (1, 2, 4)
    ]
    assert found[0] == found[1] == found[2]
    assert found[0][WEIGHTS] == file_sha256(tmp_path / "1" / WEIGHTS)


@every_kernel
@pytest.mark.parametrize("out_dtype", ["bfloat16", "float16"])
def test_a_device_writes_the_same_bytes(
    method: str, out_dtype: str, base: Path, experts: list[Path], tmp_path: Path
) -> None:
    # "cpu:0" is a device to torch, and not the "cpu" of the compiled loops: as on a GPU, without one.
    spec, folders = some(method, out_dtype=out_dtype), chosen(method, [*experts[:2], base])
    wanted = streamed(spec, folders, tmp_path / "loops")
    assert streamed(spec, folders, tmp_path / "torch", device="cpu:0") == wanted


@pytest.mark.parametrize("method", ["dare_ties", "della", "ties", "slerp", "sce"])
def test_the_layout_of_the_inputs_changes_nothing(method: str, base: Path, experts: list[Path], tmp_path: Path) -> None:
    spec = some(method)
    folders = chosen(method, [*experts[:2], base])
    wanted = streamed(spec, folders, tmp_path / "wanted")

    def other(change: Any, kept: Sequence[Path]) -> list[Path]:
        root = tmp_path / change.__name__
        copies = [f if f in kept else tiny.copy(f, root / f.name) for f in folders]
        for folder in copies:
            if folder not in kept:
                change(folder)
        return copies

    def reversed_order(folder: Path) -> None:
        write_file(folder / WEIGHTS, reversed(load_file(folder / WEIGHTS).items()))

    for change in (tiny.shard, reversed_order):
        # The first file says in which order tensors are written, so that it keeps its own where bytes are compared.
        assert streamed(spec, other(change, [base]), tmp_path / f"out-{change.__name__}") == wanted
    streamed(spec, [tiny.copy(f, tmp_path / "all" / f.name) for f in folders], tmp_path / "same")
    for folder in (tmp_path / "all").iterdir():
        reversed_order(folder)
    streamed(spec, [tmp_path / "all" / f.name for f in folders], tmp_path / "turned")
    assert equal(tiny.weights_of(tmp_path / "turned"), tiny.weights_of(tmp_path / "wanted"))


@pytest.mark.parametrize("method", ["dare_ties", "della", "ties", "slerp"])
@pytest.mark.parametrize("shard_bytes", [1, 20_000, 60_000])
def test_shards_hold_what_one_file_holds(
    method: str, shard_bytes: int, base: Path, experts: list[Path], tmp_path: Path
) -> None:
    spec, folders = some(method), chosen(method, [*experts[:2], base])
    streamed(spec, folders, tmp_path / "one")
    out = tmp_path / "many"
    written = streamed(spec, folders, out, shard_bytes=shard_bytes)
    assert len(written) > 1
    assert written == {path.name: file_sha256(path) for path in out.glob("*.safetensors")}
    wanted = tiny.weights_of(tmp_path / "one")
    assert equal(tiny.weights_of(out), wanted)
    index = json.loads((out / "model.safetensors.index.json").read_text())
    assert index["metadata"]["total_size"] == sum(t.numel() * t.element_size() for t in wanted.values())
    for file in written:  # a shard is as large as it may be, unless one tensor alone is larger
        with safe_open(out / file, "pt") as shard:
            names = list(shard.keys())
        assert {name for name, place in index["weight_map"].items() if place == file} == set(names)
        assert len(names) == 1 or sum(wanted[n].numel() * wanted[n].element_size() for n in names) <= shard_bytes
    write_config(json.loads((base / "config.json").read_text()), out, "float32")
    model = AutoModelForCausalLM.from_pretrained(out, dtype="auto")
    assert equal({n: t for n, t in model.state_dict().items() if n in wanted}, wanted)


def equal(found: Tensors, wanted: Tensors) -> bool:
    return found.keys() == wanted.keys() and all(
        found[n].dtype == t.dtype and torch.equal(found[n], t) for n, t in wanted.items()
    )


# --- draws -----------------------------------------------------------------------------------------------------------


def drawn(method: str, names: str, large: list[Path], out: Path, **fields: Any) -> Tensors:
    """What a merge without normalisation adds to the base; `names` such as "notes:1 codes:0", density 0.4."""
    folders = {folder.name: folder for folder in large}
    pairs = [name.split(":") for name in names.split()]
    weights = [float(weight) for _, weight in pairs]
    parameters = {"normalize": False}
    spec = tiny.recipe(method, weights, each={"density": 0.4}, parameters=parameters, **fields)
    streamed(spec, [*(folders[name] for name, _ in pairs), large[-1]], out)
    base = tiny.weights_of(large[-1])
    return {name: tensor - base[name] for name, tensor in tiny.weights_of(out).items()}


SEEDED = [name for name, row in METHODS.items() if row.seeded]


@pytest.mark.parametrize("method", SEEDED)
def test_an_expert_s_draws_are_its_own(method: str, large: list[Path], tmp_path: Path) -> None:
    alone = drawn(method, "notes:1", large, tmp_path / "alone")
    kept = {name: (tensor != 0).double().mean() for name, tensor in alone.items()}
    assert all(abs(share - 0.4) < 0.1 for share in kept.values()), kept
    for names in ("notes:1 codes:0", "codes:0 notes:1"):
        assert equal(drawn(method, names, large, tmp_path / names), alone)
    codes = drawn(method, "codes:1", large, tmp_path / "codes")
    both = drawn(method, "notes:1 codes:1", large, tmp_path / "both")
    for name in alone:
        assert not torch.equal(codes[name] != 0, alone[name] != 0)
        masks = (alone[name] != 0) | (codes[name] != 0)
        # Where both stay with opposite signs one is left out by the methods with an election, never both.
        assert torch.equal(both[name] != 0, masks)


@pytest.mark.parametrize("method", ["dare_linear", "della_linear"])
def test_the_order_of_experts_is_that_of_a_sum(method: str, large: list[Path], tmp_path: Path) -> None:
    one = drawn(method, "notes:0.5 codes:0.9", large, tmp_path / "one")
    other = drawn(method, "codes:0.9 notes:0.5", large, tmp_path / "other")
    assert equal(one, other)  # of two numbers, added to zero, to the bit


@pytest.mark.parametrize("method", SEEDED)
def test_tensors_of_one_size_draw_differently(method: str, large: list[Path], tmp_path: Path) -> None:
    found = drawn(method, "notes:1", large, tmp_path / "out")
    assert not torch.equal(found["layers.0.small"] != 0, found["layers.1.small"] != 0)


# --- dtypes ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def mixed(tmp_path: Path) -> list[Path]:
    """Experts in float16, float32 and float64, and a base in bfloat16."""
    tensors = {name: tensor[:40].clone() for name, tensor in random_tensors(5).items()}
    kinds = {"half": torch.float16, "single": torch.float32, "double": torch.float64}
    experts = [
        folder_of(tmp_path / name, {n: t.to(dtype) for n, t in random_tensors(i, tensors).items()})
        for i, (name, dtype) in enumerate(kinds.items())
    ]
    return [*experts, folder_of(tmp_path / "brain", {n: t.bfloat16() for n, t in tensors.items()})]


def test_mixed_dtypes_are_computed_in_float32(mixed: list[Path], tmp_path: Path) -> None:
    weights = (0.3, 0.5, 0.9)
    spec = tiny.recipe("task_arithmetic", weights, out_dtype=None)
    streamed(spec, mixed, tmp_path / "out")
    *experts, base = ({n: t.double() for n, t in tiny.weights_of(folder).items()} for folder in mixed)
    for name, tensor in tiny.weights_of(tmp_path / "out").items():
        assert tensor.dtype == torch.float32  # the smallest of the output's that holds them all
        wanted = base[name] + sum(w * (e[name] - base[name]) for w, e in zip(weights, experts, strict=True))
        torch.testing.assert_close(tensor.double(), wanted, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("out_dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize("method", ["task_arithmetic", "dare_ties", "linear"])
def test_the_result_is_rounded_once_to_nearest_even(
    method: str, out_dtype: str, mixed: list[Path], tmp_path: Path
) -> None:
    folders = chosen(method, [*mixed[:2], mixed[-1]])
    streamed(some(method, out_dtype="float32"), folders, tmp_path / "wide")
    dtype = getattr(torch, out_dtype)
    wanted = {name: tensor.to(dtype) for name, tensor in tiny.weights_of(tmp_path / "wide").items()}
    for threads in (1, 4):
        streamed(some(method, out_dtype=out_dtype), folders, tmp_path / f"narrow-{threads}", threads=threads)
        assert equal(tiny.weights_of(tmp_path / f"narrow-{threads}"), wanted)


@pytest.mark.parametrize("out_dtype", ["float32", "bfloat16", "float16"])
def test_memory_that_is_used_again_holds_the_result_of_one_tensor(out_dtype: str, tmp_path: Path) -> None:
    # One thread, and many tensors of two sizes: buffers come back from the writer while others are computed.
    tensors = {f"{i:02d}": torch.full((9_000 + i % 2 * 1_000,), float(i)) for i in range(60)}
    folders = [folder_of(tmp_path / name, tensors) for name in ("one", "two")]
    streamed(tiny.recipe("linear", out_dtype=out_dtype), folders, tmp_path / "out", threads=1)
    assert equal(tiny.weights_of(tmp_path / "out"), {n: t.to(getattr(torch, out_dtype)) for n, t in tensors.items()})


@pytest.mark.parametrize("out_dtype", ["bfloat16", "float16"])
def test_halves_are_rounded_to_even(out_dtype: str, tmp_path: Path) -> None:
    # Numbers of bfloat16 and float16 with those halfway between two of them, both ways from zero, denormals included.
    steps = torch.arange(-300, 300).float()
    tensor = torch.cat([1 + steps * 2**-9, 1 + steps * 2**-12, steps * 2**-26, steps * 1e-42, steps * 100.0])
    folder = folder_of(tmp_path / "one", {"w": tensor})
    spec = tiny.recipe("passthrough", out_dtype=out_dtype)
    streamed(spec, [folder], tmp_path / "out")
    assert torch.equal(load_file(tmp_path / "out" / WEIGHTS)["w"], tensor.to(getattr(torch, out_dtype)))


@pytest.mark.parametrize(
    ("theirs", "written"),
    [("bfloat16", "bfloat16"), ("float16", "float16"), ("float32", "float32"), ("float64", "float32")],
)
def test_without_a_dtype_the_inputs_decide(theirs: str, written: str, tmp_path: Path) -> None:
    tensors = {n: t[:30].to(getattr(torch, theirs)) for n, t in random_tensors(3).items()}
    folders = [folder_of(tmp_path / name, tensors) for name in ("a", "b")]
    streamed(tiny.recipe("linear", (1.0, 3.0), out_dtype=None), folders, tmp_path / "out")
    wanted = {n: t.float().to(getattr(torch, written)) for n, t in tensors.items()}
    found = tiny.weights_of(tmp_path / "out")
    assert {t.dtype for t in found.values()} == {getattr(torch, written)}
    for name, tensor in wanted.items():
        torch.testing.assert_close(found[name], tensor, rtol=1e-2 if written == "bfloat16" else 1e-3, atol=1e-8)


@pytest.mark.parametrize("zero", [-0.0, 0.0])
def test_passthrough_changes_no_bit(zero: float, base: Path, tmp_path: Path) -> None:
    model = tiny.copy(base, tmp_path / "model")
    weights = load_file(model / WEIGHTS)
    weights["model.norm.weight"][:9] = torch.tensor([zero, 1e-40, -1e-40, 3e38, -3e38, 1.0, -1.0, 2**-126, zero])
    save_file(weights, model / WEIGHTS, metadata={"format": "pt"})
    streamed(tiny.recipe("passthrough"), [model], tmp_path / "out")
    found = load_file(tmp_path / "out" / WEIGHTS)
    assert all(torch.equal(found[n].view(torch.int32), t.view(torch.int32)) for n, t in weights.items())


@pytest.mark.parametrize("large_tensor", [False, True], ids=["one-thread", "shared"])
def test_float16_overflow_is_refused_and_leaves_no_file(large_tensor: bool, tmp_path: Path) -> None:
    n = 1_100_000 if large_tensor else 5000
    tensors = {"a": torch.ones(n), "b": torch.full((n,), 60_000.0), "c": torch.ones(n)}
    folders = [folder_of(tmp_path / name, tensors) for name in ("one", "two")]
    spec = tiny.recipe("linear", (0.5, 0.7), out_dtype="float16", parameters={"normalize": False})
    sentence = r"^b came out with NaN or infinity in F16\. Lower the weights, or write a wider dtype\.$"
    with pytest.raises(StepFailed, match=sentence):
        streamed(spec, folders, tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())
    streamed(spec.model_copy(update={"out_dtype": "bfloat16"}), folders, tmp_path / "wide")
    assert load_file(tmp_path / "wide" / WEIGHTS)["b"][0] == 72_192  # 72,000 in bfloat16


def test_buffers_of_integers_are_copied_when_they_agree(tmp_path: Path) -> None:
    tensors = {"w": torch.ones(40), "places": torch.arange(7), "flags": torch.tensor([True, False, True])}
    folders = [folder_of(tmp_path / name, tensors, rest=3) for name in ("one", "two")]
    for shard_bytes in (1 << 30, 1):
        out = tmp_path / str(shard_bytes)
        streamed(tiny.recipe("linear"), folders, out, shard_bytes=shard_bytes)
        assert equal(tiny.weights_of(out), tensors)
    other = folder_of(tmp_path / "other", {**tensors, "places": torch.arange(7) + 1})
    sentence = r"^places is no floating-point tensor and differs between 'one' and 'other'\. Only equal ones can"
    with pytest.raises(Incompatible, match=sentence):
        streamed(tiny.recipe("linear"), [folders[0], other], tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16, torch.float64])
@pytest.mark.parametrize("rest", [1, 2, 5])
def test_data_that_are_not_aligned_are_read(rest: int, dtype: torch.dtype, tmp_path: Path) -> None:
    tensors = {n: t[:30].to(dtype) for n, t in random_tensors(3).items()}
    moved = {n: (t.float() + 0.01).to(dtype) for n, t in tensors.items()}
    for name, layout in (("even", 0), ("odd", rest)):
        folders = [folder_of(tmp_path / f"{name}-{i}", t, rest=layout) for i, t in enumerate((moved, tensors))]
        streamed(tiny.recipe("ties", (0.7,), each={"density": 0.5}), folders, tmp_path / name)
    with (tmp_path / "odd-0" / WEIGHTS).open("rb") as file:
        assert struct.unpack("<Q", file.read(8))[0] % 4 == rest % 4  # the file is what the test is for
    assert equal(tiny.weights_of(tmp_path / "odd"), tiny.weights_of(tmp_path / "even"))


def test_tensors_without_elements_and_single_numbers(tmp_path: Path) -> None:
    tensors = {"none": torch.zeros(0, 8), "one": torch.tensor(0.5), "few": torch.ones(1)}
    moved = {name: tensor + 0.25 for name, tensor in tensors.items()}
    for method in KERNELS:
        folders = chosen(method, [folder_of(tmp_path / f"{method}-{i}", moved) for i in "ab"] + [tmp_path / "base"])
        if not (tmp_path / "base").exists():
            folder_of(tmp_path / "base", tensors)
        streamed(some(method), folders, tmp_path / f"{method}-out")
        found = tiny.weights_of(tmp_path / f"{method}-out")
        assert {name: tensor.shape for name, tensor in found.items()} == {n: t.shape for n, t in tensors.items()}
        assert all(torch.isfinite(tensor).all() for tensor in found.values())


# --- what is refused -------------------------------------------------------------------------------------------------


def broken(folder: Path, to: Path, tensor: str, places: Sequence[int], value: float) -> Path:
    """A copy with a value at some places of a tensor."""
    copy = tiny.copy(folder, to)
    weights = load_file(copy / WEIGHTS)
    weights[tensor].view(-1)[list(places)] = value
    save_file(weights, copy / WEIGHTS, metadata={"format": "pt"})
    return copy


@every_kernel
def test_not_a_number_is_found_wherever_it_is(method: str, base: Path, experts: list[Path], tmp_path: Path) -> None:
    tensor = "model.layers.1.mlp.up_proj.weight"
    folders = chosen(method, [*experts[:2], base])
    spec = some(method)
    streamed(spec, folders, tmp_path / "whole")
    merged, origin = (tiny.weights_of(folder)[tensor].view(-1) for folder in (tmp_path / "whole", base))
    dropped = torch.nonzero(merged == origin).view(-1).tolist()  # by the draws, which do not depend on values
    cases = [(0, np.inf), (777, np.nan), *((place, -np.inf) for place in dropped[:1])]
    for i, (place, value) in product(range(len(folders)), cases):
        changed = [*folders]
        changed[i] = broken(folders[i], tmp_path / f"broken-{i}-{value}", tensor, [place], value)
        file = f"{changed[i].name}/{WEIGHTS}"
        sentence = rf"^'{changed[i].name}': {tensor} holds NaN or infinity \(.*{file}\)\. Mend or leave out"
        with pytest.raises(Incompatible, match=sentence):
            streamed(spec, changed, tmp_path / f"out-{i}-{value}")
        assert not list((tmp_path / f"out-{i}-{value}").iterdir())


def test_some_places_above_are_dropped_by_the_method(base: Path, experts: list[Path], tmp_path: Path) -> None:
    # Else the test above would not show that inputs are looked at rather than results.
    for method in ("dare_linear", "breadcrumbs", "ties"):
        streamed(some(method), chosen(method, [*experts[:2], base]), tmp_path / method)
        merged = tiny.weights_of(tmp_path / method)["model.layers.1.mlp.up_proj.weight"]
        assert (merged == tiny.weights_of(base)["model.layers.1.mlp.up_proj.weight"]).any()


def test_a_number_too_large_for_float32_is_refused(tmp_path: Path) -> None:
    tensors = {"w": torch.ones(300, dtype=torch.float64)}
    folders = [folder_of(tmp_path / "one", tensors)]
    tensors["w"][7] = 1e39
    folders.append(folder_of(tmp_path / "two", tensors))
    with pytest.raises(Incompatible, match=r"^'two': w holds NaN or infinity"):
        streamed(tiny.recipe("linear"), folders, tmp_path / "out")


def test_a_result_beyond_float32_is_refused(tmp_path: Path) -> None:
    folders = [folder_of(tmp_path / name, {"w": torch.full((300,), 3e38)}) for name in ("one", "two")]
    spec = tiny.recipe("linear", (1.0, 1.0), parameters={"normalize": False})
    with pytest.raises(StepFailed, match=r"^w came out with NaN or infinity in F32\. Lower the weights"):
        streamed(spec, folders, tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())


def test_a_tied_output_matrix_in_the_file_is_left_out(base: Path, experts: list[Path], tmp_path: Path) -> None:
    names = ("one", "two")
    copies = [tiny.copy(folder, tmp_path / name) for folder, name in zip(experts, names, strict=False)]
    for folder in copies:
        weights = load_file(folder / WEIGHTS)
        weights["lm_head.weight"] = weights["model.embed_tokens.weight"].clone()
        save_file(weights, folder / WEIGHTS, metadata={"format": "pt"})
    spec = some("ties")
    assert streamed(spec, [*copies, base], tmp_path / "out") == streamed(spec, [*experts[:2], base], tmp_path / "plain")
    assert "lm_head.weight" not in tiny.weights_of(tmp_path / "out")
    weights["lm_head.weight"][3, 4] += 1e-3
    save_file(weights, copies[1] / WEIGHTS, metadata={"format": "pt"})
    sentence = r"^'two': config\.json ties lm_head\.weight to model\.embed_tokens\.weight, but the file holds another"
    with pytest.raises(Incompatible, match=sentence):
        streamed(spec, [*copies, base], tmp_path / "refused")


# --- memory, and what an interruption leaves -------------------------------------------------------------------------

PEAK = """
import json, pathlib, struct, sys
from workbench.merging.sources import Checkpoint
from workbench.merging.merger import Merger
from workbench.merging.stream import Options, stream
from workbench.specs.merge import MergeSpec

def folder(path, count):
    path.mkdir()
    (path / "config.json").write_text("{}")
    size = 4 << 20
    text = json.dumps({
        f"t{i:03d}": {"dtype": "F32", "shape": [1024, 1024], "data_offsets": [i * size, (i + 1) * size]}
        for i in range(count)
    }).encode()
    with (path / "model.safetensors").open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.truncate(8 + len(text) + count * size)  # zeros that take memory when read, but no disk
    return path

def peak():
    lines = pathlib.Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))

spec = MergeSpec(
    merge_method="dare_ties", base_model="base", seed=1, out_dtype="bfloat16",
    models=[{"model": "expert", "parameters": {"weight": 0.5, "density": 0.5}}],
)
root, peaks = pathlib.Path(sys.argv[1]), []
for count in (10, 40):
    places = {name: folder(root / f"{name}-{count}", count) for name in ("base", "expert")}
    out = root / f"out-{count}"
    out.mkdir()
    stream(Merger(spec, {n: Checkpoint(n, n, p) for n, p in places.items()}), out, Options(threads=2))
    peaks.append(peak())
print(json.dumps(peaks))
"""


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="the peak of a process is read from /proc")
def test_memory_does_not_grow_with_the_model(tmp_path: Path) -> None:
    # VmHWM, not ru_maxrss, which a process inherits from the one that started it.
    script = [sys.executable, "-c", PEAK, str(tmp_path)]
    done = subprocess.run(script, text=True, check=True, capture_output=True)
    few, many = json.loads(done.stdout)
    assert many - few < 40e6, (few, many)  # 30 more tensors are 252 MB of input and 63 MB of output


class Interrupted(BaseException):
    """As a keyboard interrupt is."""


@pytest.mark.parametrize("after", [1, 9, -1], ids=["first", "middle", "last"])
@pytest.mark.parametrize("shard_bytes", [1 << 30, 20_000])
def test_an_interruption_leaves_no_weights(
    after: int, shard_bytes: int, base: Path, experts: list[Path], tmp_path: Path
) -> None:
    calls = 0
    merger = Merger(some("ties"), {str(i): Checkpoint(f.name, f.name, f) for i, f in enumerate([*experts[:2], base])})

    def stop(done: float, total: float, note: str = "") -> None:
        nonlocal calls
        calls += 1
        if calls == after or (after == -1 and done == total):
            raise Interrupted

    (tmp_path / "out").mkdir()
    with pytest.raises(Interrupted):
        stream(merger, tmp_path / "out", Options(threads=2, shard_bytes=shard_bytes), stop)
    assert not list((tmp_path / "out").iterdir())


class Failing:
    """A file that cannot be written any more after so many writes."""

    def __init__(self, file: Any, left: list[int]) -> None:
        self._file, self._left = file, left

    def __enter__(self) -> Failing:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def write(self, data: Any) -> int:
        self._left[0] -= 1
        if self._left[0] < 0:
            raise OSError(errno.EIO, "Input/output error")
        return int(self._file.write(data))


@pytest.mark.parametrize(
    ("failing", "shard_bytes"),
    [("first", 1 << 30), ("last", 1 << 30), ("first", 20_000), ("last", 20_000), ("index", 20_000)],
)
def test_a_disk_that_fails_leaves_no_weights(
    failing: str, shard_bytes: int, base: Path, experts: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec, folders = some("ties"), [*experts[:2], base]
    shards = len(streamed(spec, folders, tmp_path / "fine", shard_bytes=shard_bytes))
    whole = len(tiny.weights_of(base)) + shards  # each tensor is one write, and each header
    left = [{"first": 1, "last": whole - 1, "index": whole}[failing]]
    opened = Path.open
    monkeypatch.setattr(
        Path, "open", lambda path, *a, **k: Failing(opened(path, *a, **k), left) if "wb" in a else opened(path, *a, **k)
    )
    if failing == "index":
        monkeypatch.setattr(writer, "write_json", lambda *_: Failing(None, [0]).write(b""))
    with pytest.raises(OSError, match="Input/output error"):
        streamed(spec, folders, tmp_path / "out", shard_bytes=shard_bytes)
    assert not list((tmp_path / "out").iterdir())
