"""`workbench diagnose`: every figure against dense tensors in float64, and what it refuses."""

from __future__ import annotations

import csv
import errno
import itertools
import json
import math
import re
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny
import torch
import yaml
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file

from workbench.cli.main import run
from workbench.errors import Incompatible, MissingExtra, StepFailed, UserError
from workbench.merging import heatmap
from workbench.merging.anatomy import seats
from workbench.merging.diagnose import Diagnosis, ExpertFigures, diagnose
from workbench.merging.diagnosis import (
    Models,
    models_of_list,
    models_of_merge,
    short_names,
    write_diagnosis,
)
from workbench.merging.kernels.blocks import BLOCK
from workbench.merging.kernels.conflicts import sign_conflicts
from workbench.merging.kernels.group import Group, Kind, Operand
from workbench.merging.kernels.workers import CHUNK_BLOCKS, Workers
from workbench.merging.places import open_sources
from workbench.merging.standalone import places_of

Deltas = dict[str, NDArray[np.float64]]
EXPERT_FIGURES = ("elements", "norm", "share", "relative_norm")
PAIR_FIGURES = ("cosine", "sign_conflict_rate", "both_nonzero")


# --- the same figures from dense tensors ---------------------------------------------------------------------------


def dense(folder: Path) -> Deltas:
    return {name: tensor.float().numpy().astype(np.float64) for name, tensor in tiny.weights_of(folder).items()}


def minus(expert: Deltas, base: Deltas) -> Deltas:
    """In float32, as merges take them."""
    return {n: (expert[n].astype(np.float32) - base[n].astype(np.float32)).astype(np.float64) for n in base}


def lora(base: Deltas, adapter: Path) -> Deltas:
    """Alpha / r * B A of every pair; zeros elsewhere."""
    found = load_file(adapter / "adapter_model.safetensors")
    settings = json.loads((adapter / "adapter_config.json").read_text())
    deltas = {name: np.zeros_like(tensor) for name, tensor in base.items()}
    for name in found:
        if name.endswith("lora_A.weight"):
            a, b = (found[name.replace("lora_A", half)].double().numpy() for half in ("lora_A", "lora_B"))
            tensor = name.removeprefix("base_model.model.").replace("lora_A.weight", "weight")
            deltas[tensor] = settings["lora_alpha"] / settings["r"] * b @ a
    return deltas


def layer_of(tensor: str) -> str:
    match = re.search(r"\.layers\.(\d+)\.", tensor)
    return match[1] if match else "embeddings" if "embed" in tensor else "final"


def module_of(tensor: str) -> str:
    return tensor.split(".")[-2]


def flat(tensors: Deltas, names: Sequence[str]) -> NDArray[np.float64]:
    return np.concatenate([tensors[name].ravel() for name in names])


def expert_figures(delta: Deltas, base: Deltas, names: Sequence[str]) -> dict[str, float | None]:
    part, whole, under = flat(delta, names), flat(delta, list(base)), flat(base, names)
    norm, size, norm_base = np.linalg.norm(part), np.linalg.norm(whole), np.linalg.norm(under)
    return {
        "elements": part.size,
        "norm": norm,
        "share": norm**2 / size**2 if size else None,
        "relative_norm": norm / norm_base if norm_base else None,
    }


def pair_figures(a: Deltas, b: Deltas, names: Sequence[str]) -> dict[str, float | None]:
    x, y = flat(a, names), flat(b, names)
    norms = np.linalg.norm(x) * np.linalg.norm(y)
    both = (x != 0) & (y != 0)
    return {
        "cosine": x @ y / norms if norms else None,
        "sign_conflict_rate": (np.sign(x) != np.sign(y))[both].mean() if both.any() else None,
        "both_nonzero": both.sum(),
    }


# --- reading what was written --------------------------------------------------------------------------------------


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def check(row: dict[str, str], wanted: dict[str, float | None]) -> None:
    for name, value in wanted.items():
        if value is None:
            assert row[name] == "", (row, name)
        else:
            assert float(row[name]) == pytest.approx(float(value), rel=1e-5, abs=1e-7), (row, name)


@pytest.fixture(scope="module")
def adapter(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.save_adapter(base, tmp_path_factory.mktemp("adapters") / "codes_lora", rank=3)


@pytest.fixture(scope="module")
def mixed(base: Path, experts: list[Path], adapter: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """A full expert, a LoRA expert, one in bfloat16 in two shards, and one whose MLPs alone moved."""
    folder = tmp_path_factory.mktemp("mixed")
    narrow, partial = tiny.copy(experts[1], folder / "narrow"), tiny.copy(base, folder / "partial")
    weights = {name: tensor.bfloat16() for name, tensor in tiny.weights_of(experts[1]).items()}
    save_file(weights, narrow / "model.safetensors", metadata={"format": "pt"})
    tiny.shard(narrow)
    moved, still = tiny.weights_of(experts[2]), tiny.weights_of(base)
    weights = {name: moved[name] if ".mlp." in name else still[name] for name in still}
    save_file(weights, partial / "model.safetensors", metadata={"format": "pt"})
    return [str(experts[0]), f"{base}+{adapter}", str(narrow), str(partial)]


@pytest.fixture(scope="module")
def written(base: Path, mixed: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("out") / "diagnosis"
    assert write_diagnosis(Models(str(base), tuple(mixed)), out, threads=2).missing is None
    return out


@pytest.fixture(scope="module")
def wanted(base: Path, experts: list[Path], adapter: Path, mixed: list[str]) -> tuple[Deltas, dict[str, Deltas]]:
    under = dense(base)
    deltas = {Path(mixed[i]).name: minus(dense(Path(mixed[i])), under) for i in (0, 2, 3)}
    deltas[adapter.name] = lora(under, adapter)
    return under, {name: deltas[name] for name in (experts[0].name, adapter.name, "narrow", "partial")}


GROUPS: list[tuple[str, str, Callable[[str], str]]] = [
    ("layer", "layers.csv", layer_of),
    ("module", "modules.csv", module_of),
    ("tensor", "tensors.csv", str),
]


@pytest.mark.parametrize(("column", "file", "key"), GROUPS)
def test_figures_of_experts_are_those_of_dense_tensors(
    column: str, file: str, key: Callable[[str], str], written: Path, wanted: tuple[Deltas, dict[str, Deltas]]
) -> None:
    base, experts = wanted
    rows = {(row[column], row["expert"]): row for row in table(written / file)}
    groups = {key(name) for name in base}
    assert rows.keys() == set(itertools.product(groups, experts))
    for group, expert in rows:
        names = [name for name in base if key(name) == group]
        check(rows[group, expert], expert_figures(experts[expert], base, names))


@pytest.mark.parametrize(("column", "file", "key"), GROUPS)
def test_figures_of_pairs_are_those_of_dense_tensors(
    column: str, file: str, key: Callable[[str], str], written: Path, wanted: tuple[Deltas, dict[str, Deltas]]
) -> None:
    base, experts = wanted
    found = table(written / file.replace("s.csv", "_pairs.csv"))
    rows = {(row[column], row["expert_a"], row["expert_b"]): row for row in found}
    assert len(rows) == len({key(name) for name in base}) * math.comb(len(experts), 2)
    for group, a, b in rows:
        names = [name for name in base if key(name) == group]
        check(rows[group, a, b], pair_figures(experts[a], experts[b], names))


def test_figures_of_the_whole_model(written: Path, mixed: list[str], wanted: tuple[Deltas, dict[str, Deltas]]) -> None:
    base, experts = wanted
    rows = table(written / "experts.csv")
    assert [(row["model"], row["expert"]) for row in rows] == list(zip(mixed, experts, strict=True))
    for row in rows:
        check(row, expert_figures(experts[row["expert"]], base, list(base)))
    pairs = table(written / "pairs.csv")
    assert [(row["expert_a"], row["expert_b"]) for row in pairs] == list(itertools.combinations(experts, 2))
    for row in pairs:
        check(row, pair_figures(experts[row["expert_a"]], experts[row["expert_b"]], list(base)))


def test_roll_ups_are_no_averages_of_ratios(written: Path) -> None:
    """The cosine of the whole model weighs tensors by their norms; here that differs from the tensors' mean."""
    cosines = [
        float(row["cosine"])
        for row in table(written / "tensor_pairs.csv")
        if (row["expert_a"], row["expert_b"]) == ("notes", "narrow")
    ]
    whole = next(r for r in table(written / "pairs.csv") if (r["expert_a"], r["expert_b"]) == ("notes", "narrow"))
    assert abs(float(whole["cosine"]) - np.mean(cosines)) > 1e-4


def test_shares_of_an_expert_add_up_to_one(written: Path) -> None:
    for file in ("layers.csv", "modules.csv", "tensors.csv"):
        for expert in ("notes", "codes_lora", "narrow", "partial"):
            shares = [float(row["share"]) for row in table(written / file) if row["expert"] == expert]
            assert sum(shares) == pytest.approx(1)


def test_ranks_are_those_of_lora_pairs(written: Path) -> None:
    ranks = {(row["tensor"], row["expert"]): row["rank"] for row in table(written / "tensors.csv")}
    for (tensor, expert), rank in ranks.items():
        assert rank == ("3" if expert == "codes_lora" and "_proj" in tensor else ""), (tensor, expert)


def test_what_is_undefined_is_missing(written: Path) -> None:
    """The LoRA expert left the norms alone, the fourth expert all but the MLPs."""
    row = next(
        row
        for row in table(written / "module_pairs.csv")
        if (row["module"], row["expert_a"], row["expert_b"]) == ("input_layernorm", "notes", "codes_lora")
    )
    assert [row[name] for name in PAIR_FIGURES] == ["", "", "0"]
    still = [r for r in table(written / "layers.csv") if (r["layer"], r["expert"]) == ("embeddings", "partial")]
    assert [(float(row["norm"]), float(row["share"])) for row in still] == [(0, 0)]


def test_a_base_of_zeros_and_an_expert_that_is_the_base(base: Path, experts: list[Path], tmp_path: Path) -> None:
    zeros, same = tiny.copy(base, tmp_path / "zeros"), tiny.copy(base, tmp_path / "same")
    weights = {name: torch.zeros_like(tensor) for name, tensor in tiny.weights_of(base).items()}
    save_file(weights, zeros / "model.safetensors", metadata={"format": "pt"})
    (found,) = of_whole(diagnose(*opened(zeros, experts[0])))
    assert found.relative_norm is None
    assert found.share == pytest.approx(1)
    still = diagnose(*opened(base, same, experts[0]))
    figures, pair = of_whole(still)[0], still.pair_figures(still.whole)[0]
    assert (figures.norm, figures.share, figures.relative_norm) == (0, None, 0)
    assert (pair.cosine, pair.sign_conflict_rate, pair.both_nonzero) == (None, None, 0)


def opened(base: Path | str, *experts: Path | str) -> tuple[Any, list[Any], list[str]]:
    names = [str(name) for name in (base, *experts)]
    first, *others = open_sources(places_of(names))
    return first, others, short_names(names[1:])


def of_whole(found: Diagnosis) -> list[ExpertFigures]:
    return found.expert_figures(found.whole)


def test_equal_and_opposite_experts(base: Path, experts: list[Path], tmp_path: Path) -> None:
    under, moved = tiny.weights_of(base), tiny.weights_of(experts[0])
    away, twin = tiny.copy(base, tmp_path / "away"), tiny.copy(experts[0], tmp_path / "twin")
    weights = {name: under[name] - (moved[name] - under[name]) for name in under}
    save_file(weights, away / "model.safetensors", metadata={"format": "pt"})
    found = diagnose(*opened(base, experts[0], twin, away))
    for sums in (found.whole, *found.by(lambda seat: seat.tensor).values()):
        same, opposite, _ = found.pair_figures(sums)
        assert same.cosine == pytest.approx(1)
        assert same.cosine is not None
        assert same.cosine <= 1
        assert same.sign_conflict_rate == 0
        assert opposite.cosine == pytest.approx(-1, abs=1e-6)
        assert opposite.sign_conflict_rate == pytest.approx(1, abs=2e-3)  # a few differences round to zero


def test_the_number_of_threads_does_not_show(base: Path, mixed: list[str]) -> None:
    one, four = (diagnose(*opened(base, *mixed), threads=threads) for threads in (1, 4))
    for a, b in zip(one.tensors, four.tensors, strict=True):
        assert np.array_equal(a.sums.products, b.sums.products)
        assert np.array_equal(a.sums.opposed, b.sums.opposed)


def test_an_adapter_on_another_base_counts_as_a_dense_expert(
    base: Path, experts: list[Path], adapter: Path, tmp_path: Path
) -> None:
    """Base+adapter of an expert: its task vector about the base is no pair, and has no rank."""
    found = diagnose(*opened(base, f"{experts[0]}+{adapter}"))
    assert {tensor.ranks for tensor in found.tensors} == {(None,)}
    under, other = dense(base), dense(experts[0])
    update = lora(other, adapter)
    whole = {name: other[name] + update[name] for name in other}
    norm = math.sqrt(sum(float(np.sum((whole[name] - under[name]) ** 2)) for name in under))
    assert of_whole(found)[0].norm == pytest.approx(norm, rel=1e-5)


def test_a_base_may_be_a_base_with_an_adapter(base: Path, adapter: Path, tmp_path: Path) -> None:
    second = tiny.save_adapter(base, tmp_path / "second", seed=5)
    found = diagnose(*opened(f"{base}+{adapter}", f"{base}+{second}", base))
    under = dense(base)
    first, other = lora(under, adapter), lora(under, second)
    wanted = [math.sqrt(sum(float(np.sum((second_ - first[n]) ** 2)) for n, second_ in other.items()))]
    wanted += [math.sqrt(sum(float(np.sum(delta**2)) for delta in first.values()))]
    assert [row.norm for row in of_whole(found)] == pytest.approx(wanted, rel=1e-5)
    assert {tensor.ranks for tensor in found.tensors} == {(None, None)}


def test_rows_of_tokens_that_one_lacks_count_as_unmoved(base: Path, experts: list[Path], tmp_path: Path) -> None:
    """Tokens that the base lacks have no task vector; those that an expert lacks stay as they are."""
    table_ = "model.embed_tokens.weight"
    more, fewer = tiny.copy(experts[0], tmp_path / "more"), tiny.copy(experts[1], tmp_path / "fewer")
    first, second = tiny.weights_of(more), tiny.weights_of(fewer)
    rows = len(first[table_])
    first[table_] = torch.cat([first[table_], torch.ones(3, first[table_].shape[1])])
    second[table_] = second[table_][:-2].clone()
    for folder, weights in ((more, first), (fewer, second)):
        save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
        tiny.edit_json(folder / "config.json", vocab_size=len(weights[table_]))
    found = diagnose(*opened(base, more, fewer))
    under, a, b = dense(base), dense(experts[0]), dense(experts[1])
    b[table_][-2:] = under[table_][-2:]
    figures = pair_figures(minus(a, under), minus(b, under), [table_])
    sums = found.by(lambda seat: seat.tensor)[table_]
    (pair,) = found.pair_figures(sums)
    assert sums.elements == rows * tiny.HIDDEN
    assert (pair.cosine, pair.sign_conflict_rate) == pytest.approx(
        (figures["cosine"], figures["sign_conflict_rate"]), rel=1e-5
    )


# --- the loop, and where tensors sit -------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [0, 1, BLOCK - 1, BLOCK + 9, 2 * CHUNK_BLOCKS * BLOCK + 77])
def test_sign_conflicts_are_counted_exactly(n: int) -> None:
    rng = np.random.default_rng(n)
    base = rng.standard_normal(n).astype(np.float32)
    moved = rng.integers(-2, 3, n).astype(np.float32) + base
    delta = (rng.standard_normal(n) * rng.integers(0, 2, n)).astype(np.float32)
    halves = (rng.standard_normal(n).astype(np.float32).view(np.uint32) >> 16).astype(np.uint16)
    operands = [("a", Kind.F32, moved), ("b", Kind.DELTA, delta), ("c", Kind.BF16, halves), ("d", Kind.ZERO, None)]
    group = Group("w", (n,), Operand("base", Kind.F32, base), tuple(Operand(*operand) for operand in operands))
    wide = (halves.astype(np.uint32) << 16).view(np.float32)
    signs = [np.sign(x) for x in (moved - base, delta, wide - base, np.zeros(n))]
    with ThreadPoolExecutor(2) as pool:
        both, opposed = sign_conflicts(group, Workers(pool))
    for e, f in itertools.product(range(4), repeat=2):
        shared = (signs[e] != 0) & (signs[f] != 0)
        assert both[e, f] == shared.sum()
        assert opposed[e, f] == (shared & (signs[e] != signs[f])).sum()


def test_counts_of_full_blocks_do_not_overflow() -> None:
    ones = np.ones(4 * BLOCK, np.float32)
    models = Operand("a", Kind.DELTA, ones), Operand("b", Kind.DELTA, -ones)
    both, opposed = sign_conflicts(Group("w", ones.shape, Operand("base", Kind.F32, ones), models), Workers())
    assert both.tolist() == [[4 * BLOCK] * 2] * 2
    assert opposed.tolist() == [[0, 4 * BLOCK], [4 * BLOCK, 0]]


def test_seats_in_reading_order() -> None:
    llama = ["lm_head.weight", "model.layers.10.self_attn.q_proj.weight", "model.layers.2.self_attn.q_proj.bias",
             "model.embed_tokens.weight", "model.layers.2.mlp.experts.7.w1.weight", "model.layers.2.sinks"]  # fmt: skip
    assert [(seat.layer, seat.module) for seat in seats(llama)] == [
        ("embeddings", "embed_tokens"), ("2", "q_proj"), ("2", "w1"), ("2", "sinks"), ("10", "q_proj"),
        ("final", "lm_head"),
    ]  # fmt: skip


def test_modules_of_one_name_are_told_apart() -> None:
    gpt2 = ["wte.weight", "h.0.attn.c_proj.weight", "h.0.mlp.c_proj.weight", "h.0.ln_1.weight", "ln_f.bias"]
    assert [seat.module for seat in seats(gpt2)] == ["wte", "attn.c_proj", "mlp.c_proj", "ln_1", "ln_f"]
    assert {seat.layer for seat in seats(["encoder.block.0.q.weight", "decoder.block.0.q.weight"])} == {
        "encoder.block.0",
        "decoder.block.0",
    }


def test_short_names_are_the_ends_that_differ() -> None:
    assert short_names(["x/a/final", "x/b/final", "base+adapters/c"]) == ["a/final", "b/final", "c"]
    assert short_names(["a", "a/"]) == ["a", "a/"]


# --- what is compared ----------------------------------------------------------------------------------------------


def write(path: Path, **raw: Any) -> Path:
    path.write_text(yaml.safe_dump(raw, sort_keys=False))
    return path


def merge(path: Path, method: str, models: Sequence[str], **more: Any) -> Path:
    weights = [{"model": model, "parameters": {"weight": 0.5}} for model in models]
    return write(path, merge_method=method, models=weights, **more)


def test_models_of_a_merge(tmp_path: Path) -> None:
    path = merge(tmp_path / "m.yaml", "task_arithmetic", ["a", "b+c"], base_model="base")
    assert models_of_merge(path) == Models("base", ("a", "b+c"))
    slerp = write(
        tmp_path / "s.yaml", merge_method="slerp", models=[{"model": "base"}, {"model": "a"}], base_model="base",
        parameters={"t": 0.5},
    )  # fmt: skip
    assert models_of_merge(slerp) == Models("base", ("a",))
    assert models_of_merge(merge(tmp_path / "l.yaml", "linear", ["a", "b"]), "base") == Models("base", ("a", "b"))


def test_a_merge_without_a_base_is_one_sentence(tmp_path: Path) -> None:
    path = merge(tmp_path / "m.yaml", "linear", ["a", "b"])
    with pytest.raises(
        UserError, match=r"m\.yaml: has no base_model, and a task vector is .* Add it, or pass --base\.$"
    ):
        models_of_merge(path)
    with pytest.raises(UserError, match=r"name the base model with --base\.$"):
        models_of_list(["a"], None)


def test_nothing_besides_the_base_is_one_sentence() -> None:
    with pytest.raises(UserError, match=r"holds no model besides the base 'a/b'\. Add an expert\.$"):
        models_of_list(["a/b/"], "a/b")


def test_an_adapter_folder_stands_for_the_base_with_it(base: Path, adapter: Path) -> None:
    assert models_of_list([str(adapter), "x"], str(base)).experts == (f"{base}+{adapter}", "x")


# --- refusals: one sentence, and nothing left behind ---------------------------------------------------------------


def refused(error: type[Exception], match: str, base: Path, *experts: Path | str, out: Path) -> None:
    before = sorted(out.parent.iterdir())
    with pytest.raises(error, match=match):
        write_diagnosis(Models(str(base), tuple(map(str, experts))), out)
    assert sorted(out.parent.iterdir()) == before


def test_an_adapter_that_does_not_fit(base: Path, tmp_path: Path) -> None:
    wide = tiny.save_model(tmp_path / "wide", hidden_size=48)
    other = tiny.save_adapter(wide, tmp_path / "other")
    refused(Incompatible, r"other: .*lora_[AB]\.weight is \(48, 2\)", base, f"{base}+{other}", out=tmp_path / "out")
    refused(Incompatible, r"is \(259, 48\) in '.*wide\+.*other'", base, f"{wide}+{other}", out=tmp_path / "out")


def test_an_existing_folder_is_kept(base: Path, experts: list[Path], tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    refused(
        UserError, r"out: exists already\. Name a new folder, or remove it\.$", base, experts[0], out=tmp_path / "out"
    )


def test_a_place_that_cannot_be_written(base: Path, experts: list[Path], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"file/out: cannot be written \(Not a directory\)\. Name a folder you own\.$"):
        write_diagnosis(Models(str(base), (str(experts[0]),)), tmp_path / "file" / "out")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_nan_and_infinity_are_named(value: float, base: Path, experts: list[Path], tmp_path: Path) -> None:
    broken = tiny.copy(experts[1], tmp_path / "broken")
    weights = tiny.weights_of(broken)
    weights["model.norm.weight"][3] = value
    save_file(weights, broken / "model.safetensors", metadata={"format": "pt"})
    match = r"broken': model\.norm\.weight holds NaN or infinity \(.*model\.safetensors\)"
    refused(Incompatible, match, base, experts[0], broken, out=tmp_path / "out")
    refused(Incompatible, match, broken, experts[0], out=tmp_path / "out")


def test_what_float32_cannot_hold_is_named(base: Path, tmp_path: Path) -> None:
    low, high = tiny.copy(base, tmp_path / "low"), tiny.copy(base, tmp_path / "high")
    for folder, value in ((low, -3e38), (high, 3e38)):
        weights = tiny.weights_of(folder)
        weights["model.norm.weight"][3] = value
        save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    refused(Incompatible, r"model\.norm\.weight: an expert lies farther from", low, high, out=tmp_path / "out")


def test_a_quantised_expert_is_named(base: Path, tmp_path: Path) -> None:
    quantised = tiny.copy(base, tmp_path / "quantised")
    weights = tiny.weights_of(base)
    weights["model.norm.weight"] = weights["model.norm.weight"].to(torch.int8)
    save_file(weights, quantised / "model.safetensors", metadata={"format": "pt"})
    refused(
        Incompatible, r"^model\.norm\.weight is I8 in '.*quantised' and F32 in", base, quantised, out=tmp_path / "out"
    )


def test_a_full_disk_is_one_sentence(
    base: Path, experts: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("workbench.merging.diagnosis.draw", full)
    refused(StepFailed, "the disk is full", base, experts[0], out=tmp_path / "out")


# --- pictures ------------------------------------------------------------------------------------------------------


def test_pictures_of_pairs_and_of_norms(written: Path) -> None:
    assert sorted(path.name for path in written.glob("*.png")) == [
        "cosines.png",
        "delta_norms.png",
        "sign_conflicts.png",
    ]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in written.glob("*.png"))


def test_cells_of_a_picture_are_the_figures(
    base: Path, mixed: list[str], wanted: tuple[Deltas, dict[str, Deltas]]
) -> None:
    found = diagnose(*opened(base, *mixed))
    under, experts = wanted
    conflicts, cosines = (heatmap._grids(found, measure) for measure in heatmap.MEASURES)
    assert conflicts.layers == ("embeddings", "0", "1", "final")
    assert not conflicts.there[0, conflicts.modules.index("q_proj")]
    for i, (a, b) in enumerate(itertools.combinations(experts.values(), 2)):
        for name in under:
            at = i, conflicts.layers.index(layer_of(name)), conflicts.modules.index(module_of(name))
            figures = pair_figures(a, b, [name])
            rate, cosine = figures["sign_conflict_rate"], figures["cosine"]
            assert conflicts.values[at] == pytest.approx(np.nan if rate is None else 100 * rate, rel=1e-5, nan_ok=True)
            assert cosines.values[at] == pytest.approx(
                np.nan if cosine is None else cosine, rel=1e-5, abs=1e-7, nan_ok=True
            )


def test_no_label_is_clipped_or_read_as_a_formula(base: Path, experts: list[Path]) -> None:
    source, others, _ = opened(base, *experts[:2])
    names = [f"${'long-' * 20}$_{end}" for end in ("a", "b")]
    found = diagnose(source, others, names)
    measure = heatmap.MEASURES[0]
    for figure in (heatmap._shares(found), heatmap._panels(heatmap._grids(found, measure), [0], measure, 5)):
        figure.draw_without_rendering()
        axis = figure.axes[0]
        written = [text for text in (axis.title, *axis.get_xticklabels(), *axis.get_yticklabels()) if text.get_text()]
        assert len(written) > 5
        for text in written:
            assert not text.get_parse_math()
            box = text.get_window_extent()
            assert figure.bbox.x0 <= box.x0
            assert box.x1 <= figure.bbox.x1
            assert figure.bbox.y0 <= box.y0
            assert box.y1 <= figure.bbox.y1


def test_many_pairs_go_onto_several_pictures(
    base: Path, experts: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heatmap, "PANELS", 2)
    paths = heatmap.draw(diagnose(*opened(base, *experts)), tmp_path)
    assert [path.name for path in paths] == [
        "delta_norms.png", "sign_conflicts-1.png", "sign_conflicts-2.png", "cosines-1.png", "cosines-2.png",
    ]  # fmt: skip


def test_short_labels_stay_different() -> None:
    assert heatmap.short(["abc", "x" * 24], 24) == ["abc", "x" * 24]
    assert heatmap.short(["abc", 20 * "x" + "ending"], 25) == ["1: abc", "2: xxxxxxxxx…xxxxxxending"]


# --- the verb ------------------------------------------------------------------------------------------------------


def test_the_verb_takes_a_merge(
    base: Path, experts: list[Path], adapter: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = merge(tmp_path / "m.yaml", "task_arithmetic", [str(experts[0]), f"{base}+{adapter}"], base_model=str(base))
    assert run(["diagnose", str(path), str(tmp_path / "out")]) == 0
    shown = capsys.readouterr().out
    (pair,) = table(tmp_path / "out" / "pairs.csv")
    for text in (
        "notes",
        "codes_lora",
        f"{float(pair['cosine']):+.4f}",
        f"{100 * float(pair['sign_conflict_rate']):.2f} %",
    ):
        assert text in shown


def test_the_verb_takes_one_model_and_shows_no_pairs(
    base: Path, adapter: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["diagnose", "--base", str(base), str(adapter), str(tmp_path / "out")]) == 0
    assert "cosine" not in capsys.readouterr().out
    assert table(tmp_path / "out" / "tensor_pairs.csv") == []
    assert [path.name for path in (tmp_path / "out").glob("*.png")] == ["delta_norms.png"]


def test_the_verb_does_without_matplotlib(
    base: Path, experts: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert run(["diagnose", "--base", str(base), str(experts[0]), str(experts[1]), str(tmp_path / "out")]) == 0
    assert capsys.readouterr().err.count("pip install 'workbench[plots]'") == 1
    assert len(table(tmp_path / "out" / "pairs.csv")) == 1
    assert not list((tmp_path / "out").glob("*.png"))
    with pytest.raises(MissingExtra):
        heatmap.draw(diagnose(*opened(base, experts[0])), tmp_path)


def test_the_verb_says_a_mistake_in_one_sentence(
    base: Path, experts: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = merge(tmp_path / "m.yaml", "linear", [str(experts[0]), str(experts[1])])
    for arguments, sentence in (
        ([str(path)], "has no base_model"),
        ([str(path), str(experts[0])], "is a file among 2 models"),
        ([str(experts[0])], "name the base model with --base"),
        ([str(tmp_path / "none.yaml")], "there is no such file"),
        (["--base", str(base), str(tmp_path / "nowhere"), str(experts[0])], "is no folder here"),
    ):
        assert run(["diagnose", *arguments, str(tmp_path / "out")]) == 2
        shown = capsys.readouterr().err
        assert sentence in shown
        assert shown.count("\n") == 1
    assert not (tmp_path / "out").exists()
