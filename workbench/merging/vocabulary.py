"""Inputs with more token embeddings than others: which rows are which token's, and what an input has in those it lacks.

A row of the vocabulary is a token's: in the embeddings, in the output matrix and in its bias.
"""

from __future__ import annotations

import filecmp
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.errors import Incompatible
from workbench.merging.headers import TensorHeader
from workbench.merging.kernels.group import Kind, Operand
from workbench.merging.kernels.passes import Passes
from workbench.merging.sources import Source, widened

UNION = "add 'tokenizer_source: union', by which mergekit maps the embeddings"


def rows_of(config: Mapping[str, Any]) -> int | None:
    """Rows of the embeddings by a config.json; None when it does not say."""
    size = config.get("vocab_size") or (config.get("text_config") or {}).get("vocab_size")
    return None if size is None else int(size)


def with_rows(config: Mapping[str, Any], rows: int | None) -> dict[str, Any]:
    """A config.json with another number of rows; the same one when `rows` is what it says."""
    if rows in (None, rows_of(config)):
        return dict(config)
    if "vocab_size" in config:
        return {**config, "vocab_size": rows}
    return {**config, "text_config": {**config["text_config"], "vocab_size": rows}}


def is_vocabulary(header: TensorHeader, config: Mapping[str, Any]) -> bool:
    """Whether a tensor has a row for each token: by its name and by its rows, as either alone may be chance."""
    return header.shape[:1] == (rows_of(config),) and any(part in header.name for part in ("emb", "wte", "lm_head"))


def whole_shape(tensor: str, inputs: Sequence[Source]) -> tuple[int, ...]:
    """A tensor's shape with the rows of the input that has most."""
    return max((source.headers[tensor].shape for source in inputs), key=lambda shape: shape[:1])


def fill_rows(operands: list[Operand], has_base: bool, shape: tuple[int, ...], passes: Passes) -> list[Operand]:
    """Loaded operands with all rows of `shape`; the last one is the base's if there is one.

    Where an operand has no row, it gets the base's, or, where the base has none either, the mean of that row over the
    operands that have it; so does the base. Hence a task vector is zero where an expert knows nothing, and a token
    that one expert alone knows keeps its embedding. The list itself comes back when there is nothing to fill.
    """
    n = int(np.prod(shape, dtype=np.int64))
    if all(operand.data is None or len(operand.data) == n for operand in operands):
        return operands
    start = min(len(operand.data) for operand in operands if operand.data is not None)
    tails = [_floats(operand, start, passes) for operand in operands if operand.kind in (Kind.F32, Kind.BF16)]
    total, count = np.zeros(n - start), np.zeros(n - start)
    for tail in tails:
        total[: len(tail)] += tail
        count[: len(tail)] += 1
    fill = (total / count).astype(np.float32)
    if has_base:
        fill[: len(tails[-1])] = tails[-1]
    return [_filled(operand, n, fill, passes) for operand in operands]


def _filled(operand: Operand, n: int, fill: NDArray[np.float32], passes: Passes) -> Operand:
    """An operand with n elements, the last of them from `fill`; a task vector has the base's rows, and 0 in others."""
    if operand.data is None or len(operand.data) == n:
        return operand
    rest = fill[len(fill) - (n - len(operand.data)) :]
    if operand.kind == Kind.DELTA:
        return passes.load(replace(operand, data=np.append(_floats(operand, 0, passes), np.zeros_like(rest))))
    return passes.load(replace(operand, kind=Kind.F32, data=np.append(_floats(operand, 0, passes), rest)))


def _floats(operand: Operand, start: int, passes: Passes) -> NDArray[np.float32]:
    return widened(replace(operand, data=passes.fetch(operand.data[start:])))


def keeper(inputs: Sequence[Source], donor: Source) -> Source:
    """Whose tokenizer the result of `inputs` gets: the donor's if it has as many rows as any, else an input's."""
    most = max(inputs, key=lambda source: rows_of(source.config) or 0)
    return donor if rows_of(donor.config) == rows_of(most.config) else most


def check_vocabularies(sources: Sequence[Source], donor: Source) -> None:
    """Raise Incompatible unless every token has one id and every row one token, whichever input one asks.

    An input may lack tokens of another when it lacks their rows, too. Folders without a tokenizer are taken as they
    are, if all inputs have equally many rows.
    """
    every = [donor, *(source for source in sources if source is not donor)]
    if len({rows_of(source.config) for source in every}) == 1 and _same_file(every):
        return  # parsing a tokenizer takes longer than merging a small model
    known = [(source, tokens) for source in every if (tokens := _tokens(source)) is not None]
    if len({rows_of(source.config) for source in every}) > 1 and len(known) < len(every):
        bare = next(source for source in every if all(source is not other for other, _ in known))
        raise Incompatible(
            f"'{bare.name}' has {rows_of(bare.config)} token embeddings, other inputs have not, and {bare.tokenizer} "
            f"holds no readable tokenizer.json to tell which is which. Put it there, or {UNION}."
        )
    if not known:
        return
    largest, all_tokens = max(known, key=lambda pair: len(pair[1]))
    for source, tokens in known:
        if (token := _difference(tokens, all_tokens, rows_of(source.config))) is not None:
            other, one = (source, largest) if source is not donor else (largest, donor)
            raise Incompatible(
                f"'{other.name}' has another tokenizer than '{one.name}' (first difference: token {token!r}). Merge "
                f"models that share one, or {UNION}."
            )


def _same_file(sources: Sequence[Source]) -> bool:
    """Whether all have the same tokenizer.json, byte for byte."""
    files = dict.fromkeys(Path(source.tokenizer) / "tokenizer.json" for source in sources)
    first, *others = files
    return first.is_file() and all(path.is_file() and filecmp.cmp(first, path, shallow=False) for path in others)


def _difference(ours: Mapping[str, int], theirs: Mapping[str, int], rows: int | None) -> str | None:
    """The first token by name that forbids `theirs` to be `ours` and further tokens beyond our `rows`."""
    if ours == theirs:
        return None
    differing = set(ours.items()) ^ set(theirs.items())
    return min((token for token, id_ in differing if token in ours or rows is None or id_ < rows), default=None)


def _tokens(source: Source) -> dict[str, int] | None:
    """Token -> id of a fast tokenizer as far as there are embeddings, or None when its file cannot be read."""
    path = Path(source.tokenizer) / "tokenizer.json"
    try:
        tokenizer = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    vocabulary = dict(tokenizer.get("model", {}).get("vocab") or {})
    vocabulary.update({token["content"]: token["id"] for token in tokenizer.get("added_tokens", [])})
    rows = rows_of(source.config)
    return {token: id_ for token, id_ in vocabulary.items() if rows is None or id_ < rows}
