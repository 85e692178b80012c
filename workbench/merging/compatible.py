"""Refuse what cannot be merged, before a weight is read: one sentence each, with file, value and way out."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from workbench.errors import Incompatible
from workbench.merging.headers import TensorHeader
from workbench.merging.sources import FLOATS, OTHERS, Source


def check_sources(sources: Sequence[Source], donor: Source) -> None:
    """Raise Incompatible unless all inputs share architecture, tensor names, shapes and vocabulary with the donor.

    The donor gives the merged model its config and tokenizer: the base, else the first model.
    """
    for source in (donor, *sources):
        for header in source.headers.values():
            if header.dtype not in FLOATS and header.dtype not in OTHERS:
                raise Incompatible(
                    f"'{source.name}': {header.name} is {header.dtype}, which cannot be merged. Dequantise the model "
                    "first, or save it in bfloat16."
                )
    for source in sources:
        if source is donor:
            continue
        if source.config.get("architectures") != donor.config.get("architectures"):
            raise Incompatible(
                f"'{source.name}' is a {_architecture(source.config)} and '{donor.name}' a "
                f"{_architecture(donor.config)}. Only models of one architecture can be merged."
            )
        _check_tensors(donor.name, donor.headers, source.name, source.headers)
        _check_vocabulary(donor, source)


def _architecture(config: Mapping[str, Any]) -> str:
    return ", ".join(config.get("architectures") or ["model without an architecture"])


def _check_tensors(a: str, ours: Mapping[str, TensorHeader], b: str, theirs: Mapping[str, TensorHeader]) -> None:
    if missing := sorted(ours.keys() - theirs.keys()):
        raise Incompatible(
            f"'{b}' lacks {len(missing)} tensors of '{a}', the first is {missing[0]}. {_untied(missing, b, a)}"
        )
    if extra := sorted(theirs.keys() - ours.keys()):
        raise Incompatible(
            f"'{b}' has {len(extra)} tensors that '{a}' lacks, the first is {extra[0]}. {_untied(extra, a, b)}"
        )
    for name, header in ours.items():
        if theirs[name].shape != header.shape:
            reason = "The vocabularies differ in size." if "embed" in name or "lm_head" in name else "Not mergeable."
            raise Incompatible(f"{name} is {theirs[name].shape} in '{b}' and {header.shape} in '{a}'. {reason}")


def _untied(names: Sequence[str], without: str, with_: str) -> str:
    if list(names) == ["lm_head.weight"]:
        return f"'{without}' ties it to its embeddings and '{with_}' does not: untie the one, or tie the other."
    return "Not mergeable."


def _check_vocabulary(donor: Source, source: Source) -> None:
    a, b = donor.folder / "tokenizer.json", source.folder / "tokenizer.json"
    if not a.is_file() or not b.is_file() or a.read_bytes() == b.read_bytes():
        return
    ours, theirs = _vocabulary(a), _vocabulary(b)
    if ours is not None and theirs is not None and ours != theirs:
        token = next(iter(sorted(set(ours.items()) ^ set(theirs.items()))))[0]
        raise Incompatible(
            f"'{source.name}' has another tokenizer than '{donor.name}' (first difference: token {token!r}). Merge "
            "models that share one, or add 'tokenizer_source: union', by which mergekit maps the embeddings."
        )


def _vocabulary(path: Path) -> dict[str, int] | None:
    """Token -> id of a fast tokenizer, or None when the file cannot be read."""
    try:
        tokenizer = json.loads(path.read_text())
    except ValueError:
        return None
    vocabulary = dict(tokenizer.get("model", {}).get("vocab") or {})
    vocabulary.update({token["content"]: token["id"] for token in tokenizer.get("added_tokens", [])})
    return vocabulary
