"""What holds for every merge method, whatever it computes."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tiny
import torch

from workbench.errors import StepFailed
from workbench.specs.methods import METHODS

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
FEW = {"density": 0.5}  # a density that drops something, where there is one

CHOOSE = ("model_stock", "arcee_fusion", "nearswap", "ram", "ramplus_tl")
"""Methods that decide by the weights themselves how much of an expert they take."""

every_method = pytest.mark.parametrize("method", list(METHODS))
every_dtype = pytest.mark.parametrize("out_dtype", list(DTYPES))


def some(method: str) -> dict[str, float]:
    """Parameters of one expert that make a method do what it is for."""
    return {name: value for name, value in FEW.items() if name in METHODS[method].each}


def assert_close(found: dict[str, torch.Tensor], wanted: dict[str, torch.Tensor], out_dtype: str) -> None:
    """Equal up to float32 arithmetic and one rounding to `out_dtype`."""
    assert found.keys() == wanted.keys()
    for name, tensor in found.items():
        assert tensor.dtype == DTYPES[out_dtype], name
        relative = 2**-8 if out_dtype == "bfloat16" else 0.0  # half of bfloat16's step
        torch.testing.assert_close(tensor.float(), wanted[name].float(), rtol=relative, atol=1e-6)


@every_method
@every_dtype
def test_identical_inputs_give_that_model(method: str, out_dtype: str, base: Path, tmp_path: Path) -> None:
    spec = tiny.recipe(method, weights=(0.3, 1.7), each=some(method), out_dtype=out_dtype)
    found = tiny.merged(spec, tiny.inputs(method, [base, base], base), tmp_path / "out")
    assert_close(found, tiny.weights_of(base), out_dtype)


@pytest.mark.parametrize("method", [name for name in METHODS if name not in CHOOSE])
@every_dtype
def test_weight_one_alone_gives_that_expert(
    method: str, out_dtype: str, base: Path, experts: list[Path], tmp_path: Path
) -> None:
    least = METHODS[method].others[0]
    spec = tiny.recipe(method, (1.0, 0.0)[:least], t=1.0, out_dtype=out_dtype)  # slerp has t where others have weights
    models = tiny.inputs(method, experts[:least], base)
    assert_close(tiny.merged(spec, models, tmp_path / "out"), tiny.weights_of(experts[0]), out_dtype)


def test_slerp_at_zero_gives_the_base(base: Path, experts: list[Path], tmp_path: Path) -> None:
    found = tiny.merged(tiny.recipe("slerp", t=0.0), [experts[0], base], tmp_path / "out")
    assert_close(found, tiny.weights_of(base), "float32")


@pytest.mark.parametrize("method", [n for n, row in METHODS.items() if "weight" in row.each and row.others[1] is None])
def test_weight_zero_counts_as_absent(method: str, base: Path, experts: list[Path], tmp_path: Path) -> None:
    three = tiny.recipe(method, weights=(0.5, 0.4, 0.0), each=some(method))
    two = tiny.recipe(method, weights=(0.5, 0.4), each=some(method))
    found = tiny.merged(three, tiny.inputs(method, experts, base), tmp_path / "three")
    wanted = tiny.merged(two, tiny.inputs(method, experts[:2], base), tmp_path / "two")
    assert_close(found, wanted, "float32")
    other = tiny.merged(tiny.recipe(method, weights=(0.2, 0.9)), tiny.inputs(method, experts[:2], base), tmp_path / "x")
    assert any(not torch.allclose(other[name], wanted[name], atol=1e-4) for name in wanted)


@every_method
@every_dtype
def test_output_has_names_shapes_and_dtype_of_the_recipe(
    method: str, out_dtype: str, base: Path, experts: list[Path], tmp_path: Path
) -> None:
    spec = tiny.recipe(method, weights=(0.5, 0.4, 0.3), each=some(method), out_dtype=out_dtype)
    found = tiny.merged(spec, tiny.inputs(method, experts, base), tmp_path / "out")
    wanted = tiny.weights_of(base)
    assert {n: t.shape for n, t in found.items()} == {n: t.shape for n, t in wanted.items()}
    assert {t.dtype for t in found.values()} == {DTYPES[out_dtype]}
    assert all(torch.isfinite(t).all() for t in found.values())
    assert json.loads((tmp_path / "out" / "config.json").read_text())["dtype"] == out_dtype


@every_method
def test_inputs_are_not_modified(method: str, base: Path, experts: list[Path], tmp_path: Path) -> None:
    models = tiny.inputs(method, experts, base)
    before = [tiny.hashes(folder) for folder in models]
    tiny.merged(tiny.recipe(method, weights=(0.5, 0.4, 0.3), each=some(method)), models, tmp_path / "out")
    assert [tiny.hashes(folder) for folder in models] == before


@every_method
def test_the_seed_and_nothing_else_decides(method: str, base: Path, experts: list[Path], tmp_path: Path) -> None:
    models = tiny.inputs(method, experts, base)
    spec = tiny.recipe(method, weights=(0.5, 0.4, 0.3), each=some(method))
    first = tiny.merged(spec, models, tmp_path / "first")
    torch.rand(3)  # another state of the global generators changes nothing
    random.random()
    second = tiny.merged(spec, models, tmp_path / "second")
    assert all(torch.equal(first[name], second[name]) for name in first)
    if METHODS[method].seeded:
        other = tiny.merged(spec.model_copy(update={"seed": 8}), models, tmp_path / "other")
        assert not all(torch.equal(first[name], other[name]) for name in first)


@pytest.mark.parametrize("method", [name for name, row in METHODS.items() if row.seeded])
def test_the_place_of_the_inputs_changes_no_draw(method: str, base: Path, experts: list[Path], tmp_path: Path) -> None:
    spec = tiny.recipe(method, weights=(0.5, 0.4), each=some(method))
    here = tiny.merged(spec, [*experts[:2], base], tmp_path / "here")
    moved = [Path(shutil.copytree(folder, tmp_path / "elsewhere" / folder.name)) for folder in (*experts[:2], base)]
    there = tiny.merged(spec, moved, tmp_path / "there")
    assert all(torch.equal(here[name], there[name]) for name in here)


IN_ANOTHER_PROCESS = """
import json, pathlib, sys, warnings
warnings.simplefilter("ignore")
sys.path.insert(0, sys.argv[1])
import tiny
from workbench.specs.merge import MergeSpec
for out, spec, models in json.loads(sys.stdin.read()):
    tiny.merged(MergeSpec.model_validate(spec), [pathlib.Path(m) for m in models], pathlib.Path(out))
"""


def test_same_bytes_in_another_process(base: Path, experts: list[Path], tmp_path: Path) -> None:
    jobs = []
    ours = {}
    for method in METHODS:
        spec = tiny.recipe(method, weights=(0.5, 0.4, 0.3), each=some(method), out_dtype="bfloat16")
        models = tiny.inputs(method, experts, base)
        tiny.merged(spec, models, tmp_path / "here" / method)
        ours[method] = sha256(tmp_path / "here" / method)
        there = str(tmp_path / "there" / method)
        jobs.append((there, spec.model_dump(exclude_unset=True), [str(folder) for folder in models]))
    script = [sys.executable, "-c", IN_ANOTHER_PROCESS, str(Path(tiny.__file__).parent)]
    subprocess.run(script, input=json.dumps(jobs), text=True, check=True, capture_output=True)
    assert {method: sha256(tmp_path / "there" / method) for method in METHODS} == ours


def sha256(folder: Path) -> str:
    return hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()


def global_states() -> tuple[object, ...]:
    kind, keys, *rest = np.random.get_state()
    return random.getstate(), kind, keys.tobytes(), tuple(rest), bytes(torch.get_rng_state().numpy())


@every_method
def test_global_random_states_are_given_back(method: str, base: Path, experts: list[Path], tmp_path: Path) -> None:
    before = global_states()
    spec = tiny.recipe(method, weights=(0.5, 0.4, 0.3), each=some(method))
    tiny.merged(spec, tiny.inputs(method, experts, base), tmp_path / "out")
    assert global_states() == before


def test_global_random_states_are_given_back_by_a_failure(
    base: Path, experts: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def draw_and_fail(*_: object, **__: object) -> None:
        random.seed(1)
        np.random.seed(1)
        torch.manual_seed(1)
        raise RuntimeError("out of luck")

    monkeypatch.setattr("mergekit.merge.run_merge", draw_and_fail)
    before = global_states()
    with pytest.raises(StepFailed, match=r"^mergekit could not run 'nearswap': out of luck$"):
        tiny.merged(tiny.recipe("nearswap"), [experts[0], base], tmp_path / "out")
    assert global_states() == before
