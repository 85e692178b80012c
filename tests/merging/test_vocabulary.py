"""Merges of inputs with unequally many token embeddings, against plain numpy; tokenizers that forbid them."""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny
import torch
from numpy.typing import NDArray
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, LlamaForCausalLM

from workbench.errors import Incompatible
from workbench.merging.compatible import check_sources
from workbench.merging.fold import fold
from workbench.merging.kernels.cpu import CpuPasses
from workbench.merging.kernels.device import DevicePasses
from workbench.merging.kernels.group import Kind, Operand
from workbench.merging.merge import merge
from workbench.merging.places import Place
from workbench.merging.sources import Checkpoint
from workbench.merging.vocabulary import fill_rows

Array = NDArray[np.float64]
EMBEDDING, HEAD = "model.embed_tokens.weight", "lm_head.weight"
ROWS = 259
WEIGHTS = (0.5, 0.8)


def tokens(folder: Path, *names: str) -> Path:
    tokenizer = tiny.tokenizer()
    tokenizer.add_tokens(list(names))
    tokenizer.save_pretrained(folder)
    return folder


def model(folder: Path, seed: int, *names: str, tied: bool = False, dtype: torch.dtype = torch.float32) -> Path:
    """A random model with embeddings for some more tokens than the tiny one's."""
    tiny.save_model(folder, seed, dtype, vocab_size=ROWS + len(names), tie_word_embeddings=tied)
    return tokens(folder, *names)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return model(tmp_path_factory.mktemp("vocabulary") / "base", 1)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return model(tmp_path_factory.mktemp("vocabulary") / "plain", 2)


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return model(tmp_path_factory.mktemp("vocabulary") / "one", 3, "<note>")


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return model(tmp_path_factory.mktemp("vocabulary") / "two", 4, "<note>", "<plan>")


def matrices(folders: Sequence[Path], tensor: str) -> list[Array]:
    return [tiny.weights_of(folder)[tensor].double().numpy() for folder in folders]


def filled(experts: Sequence[Array], base: Array | None) -> tuple[list[Array], Array | None]:
    """Every matrix with all rows, filled row by row."""
    every = [*experts, *([base] if base is not None else [])]
    whole = []
    for matrix in every:
        rows = []
        for row in range(max(len(other) for other in every)):
            theirs = [other[row] for other in every if row < len(other)]
            known = base[row] if base is not None and row < len(base) else sum(theirs) / len(theirs)
            rows.append(matrix[row] if row < len(matrix) else known)
        whole.append(np.stack(rows))
    return (whole, None) if base is None else (whole[:-1], whole[-1])


def linear(experts: list[Array], base: Array | None, weights: Sequence[float]) -> Array:
    return sum(w * x for w, x in zip(weights, experts, strict=True)) / sum(weights)


def task_arithmetic(experts: list[Array], base: Array | None, weights: Sequence[float]) -> Array:
    assert base is not None
    return base + sum(w * (x - base) for w, x in zip(weights, experts, strict=True))


def ties(experts: list[Array], base: Array | None, weights: Sequence[float]) -> Array:
    """Half of each task vector stays; signs by weighted sum, divided by the weights that agree."""
    assert base is not None
    sparse = []
    for expert in experts:
        delta = expert - base
        keep = np.argsort(-np.abs(delta), axis=None, kind="stable")[: delta.size // 2]
        mask = np.zeros(delta.size)
        mask[keep] = 1
        sparse.append(delta * mask.reshape(delta.shape))
    weighted = [w * delta for w, delta in zip(weights, sparse, strict=True)]
    sign = np.where(sum(weighted) >= 0, 1, -1)
    agree = [np.sign(delta) == sign for delta in weighted]
    divisor = sum(w * mask for w, mask in zip(weights, agree, strict=True))
    return base + sum(w * m for w, m in zip(weighted, agree, strict=True)) / np.where(divisor == 0, 1, divisor)


FORMULAS = {"linear": linear, "task_arithmetic": task_arithmetic, "ties": ties}
INPUTS = {
    "one knows more": ("one",),
    "base and one": ("plain", "one"),
    "two know the same": ("one", "one2"),
    "one, and one more": ("one", "two"),
}


@pytest.mark.parametrize("inputs", INPUTS)
@pytest.mark.parametrize("method", FORMULAS)
def test_rows_that_are_missing(
    method: str, inputs: str, base: Path, plain: Path, one: Path, two: Path, tmp_path: Path
) -> None:
    folders = {"plain": plain, "one": one, "two": two, "one2": model(tmp_path / "one2", 7, "<note>")}
    experts = [folders[name] for name in INPUTS[inputs]]
    weights = WEIGHTS[: len(experts)]
    # linear has no base: it is one more input
    listed = [*experts, base]
    each = {} if method != "ties" else {"density": 0.5}
    if method == "linear":
        weights = (*weights, 0.3)
    spec = tiny.recipe(method, weights, each=each)
    found = tiny.merged(spec, listed, tmp_path / "out")
    for tensor in (EMBEDDING, HEAD, "model.layers.0.mlp.up_proj.weight"):
        loaded = matrices(listed, tensor)
        arrays, origin = filled(loaded, None) if method == "linear" else filled(loaded[:-1], loaded[-1])
        wanted = FORMULAS[method](arrays, origin, weights)
        assert found[tensor].shape == wanted.shape
        np.testing.assert_allclose(found[tensor].numpy(), wanted, rtol=0, atol=1e-6, err_msg=tensor)
    rows = max(len(matrix) for matrix in matrices(listed, EMBEDDING))
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    assert config["vocab_size"] == rows
    keeper = next(folder for folder in (base, *experts) if len(matrices([folder], EMBEDDING)[0]) == rows)
    assert (tmp_path / "out" / "tokenizer.json").read_bytes() == (keeper / "tokenizer.json").read_bytes()
    loads = LlamaForCausalLM.from_pretrained(tmp_path / "out")
    assert loads.get_input_embeddings().weight.shape[0] == rows


def test_a_token_of_one_expert_alone_keeps_its_embedding(base: Path, plain: Path, one: Path, tmp_path: Path) -> None:
    for method in ("linear", "task_arithmetic", "ties", "dare_ties", "breadcrumbs"):
        each = {} if method in ("linear", "task_arithmetic") else {"density": 0.5}
        out = tiny.merged(tiny.recipe(method, (0.4, 0.7), each=each), [plain, one, base], tmp_path / method)
        mine = tiny.weights_of(one)[EMBEDDING][ROWS]
        torch.testing.assert_close(out[EMBEDDING][ROWS], mine, rtol=1e-6, atol=1e-7)


def test_a_base_with_more_rows_gives_them(base: Path, plain: Path, two: Path, tmp_path: Path) -> None:
    found = tiny.merged(tiny.recipe("task_arithmetic", (0.4, 0.7)), [plain, base, two], tmp_path / "out")
    assert torch.equal(found[EMBEDDING][ROWS:], tiny.weights_of(two)[EMBEDDING][ROWS:])


def test_bfloat16_rows_are_filled_in_float32(tmp_path: Path) -> None:
    short = model(tmp_path / "short", 5, tied=True, dtype=torch.bfloat16)
    long = model(tmp_path / "long", 6, "<note>", tied=True, dtype=torch.bfloat16)
    found = tiny.merged(tiny.recipe("linear", (1, 3)), [short, long], tmp_path / "out")[EMBEDDING]
    a, b = matrices([short, long], EMBEDDING)
    np.testing.assert_allclose(found[:ROWS].numpy(), (a + 3 * b[:ROWS]) / 4, rtol=0, atol=1e-7)
    assert torch.equal(found[ROWS:], tiny.weights_of(long)[EMBEDDING][ROWS:].float())


def adapter(base: Path, folder: Path, more: int, **fields: Any) -> Path:
    with torch.random.fork_rng(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PEFT's, that embeddings are saved
        torch.manual_seed(9)
        grown = AutoModelForCausalLM.from_pretrained(base)
        grown.resize_token_embeddings(ROWS + more)
        trained = get_peft_model(grown, LoraConfig(r=2, **fields))
        for parameter in trained.parameters():
            if parameter.requires_grad:
                parameter.data.add_(0.1 * torch.randn(parameter.shape))
        trained.save_pretrained(folder)
    return folder


@pytest.mark.parametrize("method", ["linear", "task_arithmetic"])
def test_an_adapter_with_new_rows_merges_as_its_folded_model(method: str, base: Path, tmp_path: Path) -> None:
    saved = ["embed_tokens", "lm_head"]
    adapters = [
        tokens(adapter(base, tmp_path / "grown", 2, target_modules=["q_proj"], modules_to_save=saved), "<note>", "<x>"),
        adapter(base, tmp_path / "pair", 0, target_modules=["embed_tokens", "v_proj"]),
        adapter(base, tmp_path / "other", 0, target_modules=["q_proj"]),
    ]
    folders = [tmp_path / f"{path.name}-folded" for path in adapters]
    for path, folder in zip(adapters, folders, strict=True):
        folder.mkdir()
        fold(base, path, "base", folder)
    spec, out = tiny.recipe(method, (0.5, 0.8, 0.3)), tmp_path / "out"
    wanted = tiny.merged(spec, tiny.inputs(method, folders, base), tmp_path / "wanted")
    places = [Place(path.name, path.name, base, path, "base") for path in adapters]
    out.mkdir()
    merge("out", spec, [*places, Place("base", "base", base)] if method != "linear" else places, out)
    for tensor, value in tiny.weights_of(out).items():
        torch.testing.assert_close(value, wanted[tensor], rtol=0, atol=1e-6)
    rows = tiny.weights_of(folders[0])[EMBEDDING][ROWS:]
    torch.testing.assert_close(wanted[EMBEDDING][ROWS:], rows, rtol=1e-6, atol=1e-7)
    assert (out / "tokenizer.json").read_bytes() == (adapters[0] / "tokenizer.json").read_bytes()
    assert json.loads((out / "config.json").read_text())["vocab_size"] == ROWS + 2


def test_rows_are_filled_alike_on_a_device() -> None:
    generator = np.random.default_rng(0)
    short, long, base = (generator.standard_normal(n, np.float32) for n in (12, 20, 16))
    bits = (long.view(np.uint32) >> 16).astype(np.uint16)
    operands = [
        Operand("a", Kind.F32, short),
        Operand("b", Kind.BF16, bits),
        Operand("c", Kind.DELTA, short[:8]),
        Operand("d", Kind.ZERO, None),
        Operand("base", Kind.F32, base),
    ]
    found = []
    for passes in (CpuPasses(), DevicePasses("cpu")):
        filled = fill_rows([passes.load(operand) for operand in operands], True, (5, 4), passes)
        found.append([None if operand.data is None else np.asarray(passes.fetch(operand.data)) for operand in filled])
    (a, b, c, d, last), other = found
    wide = (bits.astype(np.uint32) << 16).view(np.float32)
    assert np.array_equal(a, [*short, *base[12:], *wide[16:]])
    assert np.array_equal(b, bits)
    assert np.array_equal(c, [*short[:8], *np.zeros(12)])
    assert d is None
    assert np.array_equal(last, [*base, *wide[16:]])
    assert all(np.array_equal(x, y) for x, y in zip(found[0], other, strict=True) if x is not None)


# Tokenizers that forbid it


def refused(models: list[Path], sentence: str, tmp_path: Path) -> None:
    out = tmp_path / "refused"
    with pytest.raises(Incompatible, match=sentence) as caught:
        tiny.merged(tiny.recipe("linear", [1.0] * len(models)), models, out)
    assert "\n" not in str(caught.value)
    assert not list(out.iterdir())


UNION = r"add 'tokenizer_source: union', by which mergekit maps the embeddings\.$"


def test_one_row_of_two_tokens_is_refused(base: Path, one: Path, tmp_path: Path) -> None:
    other = model(tmp_path / "other", 8, "<plan>")
    sentence = (
        r"^'other' has another tokenizer than 'one' \(first difference: token '<note>'\)\. Merge models that share "
        rf"one, or {UNION}"
    )
    refused([base, one, other], sentence, tmp_path)


def test_a_token_for_a_row_that_another_has_unnamed_is_refused(one: Path, tmp_path: Path) -> None:
    padded = tokens(model(tmp_path / "padded", 8, "<a>", "<b>", "<c>"))
    refused([padded, one], r"^'one' has another tokenizer than 'padded' \(first difference: token '<note>'\)", tmp_path)


def test_rows_beyond_both_tokenizers_are_filled(base: Path, tmp_path: Path) -> None:
    padded = tokens(model(tmp_path / "padded", 8, "<a>", "<b>", "<c>"))
    found = tiny.merged(tiny.recipe("linear"), [base, padded], tmp_path / "out")[EMBEDDING]
    assert torch.equal(found[ROWS:], tiny.weights_of(padded)[EMBEDDING][ROWS:])


def test_a_token_without_a_row_is_no_difference(base: Path, plain: Path, tmp_path: Path) -> None:
    padding = tokens(tiny.copy(plain, tmp_path / "padding"), "<pad>")
    tiny.merged(tiny.recipe("linear"), [base, padding], tmp_path / "out")
    assert (tmp_path / "out" / "tokenizer.json").read_bytes() == (base / "tokenizer.json").read_bytes()


def test_unequal_rows_without_a_tokenizer_are_refused(base: Path, one: Path, tmp_path: Path) -> None:
    bare = tiny.copy(one, tmp_path / "bare")
    (bare / "tokenizer.json").unlink()
    sentence = (
        rf"^'bare' has 260 token embeddings, other inputs have not, and {bare} holds no readable tokenizer\.json to "
        rf"tell which is which\. Put it there, or {UNION}"
    )
    refused([base, bare], sentence, tmp_path)


def test_what_mergekit_merges_is_not_filled(base: Path, one: Path) -> None:
    sentence = (
        r"^lm_head\.weight is \(260, 32\) in 'one' and \(259, 32\) in 'base'\. Where the vocabularies differ, "
        rf"{UNION}"
    )
    sources = [Checkpoint(folder.name, folder.name, folder) for folder in (base, one)]
    check_sources(sources, sources[0])
    with pytest.raises(Incompatible, match=sentence):
        check_sources(sources, sources[0], fills=False)
