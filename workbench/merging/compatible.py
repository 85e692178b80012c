"""Refuse what cannot be merged, before a weight is read: one sentence each, with file, value and way out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from workbench.errors import Incompatible
from workbench.merging.sources import FLOATS, OTHERS, Source
from workbench.merging.vocabulary import UNION, check_vocabularies, is_vocabulary


def check_sources(sources: Sequence[Source], donor: Source, fills: bool = True) -> None:
    """Raise Incompatible unless all inputs share architecture, tensor names, shapes and vocabulary with the donor.

    The donor gives the merged model its config: the base, else the first model. `fills`: what merges them fills rows
    of the vocabulary that an input lacks.
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
        _check_tensors(donor, source, fills)
    check_vocabularies(sources, donor)


def _architecture(config: Mapping[str, Any]) -> str:
    return ", ".join(config.get("architectures") or ["model without an architecture"])


def _check_tensors(donor: Source, source: Source, fills: bool) -> None:
    a, ours, b, theirs = donor.name, donor.headers, source.name, source.headers
    if missing := sorted(ours.keys() - theirs.keys()):
        raise Incompatible(
            f"'{b}' lacks {len(missing)} tensors of '{a}', the first is {missing[0]}. {_untied(missing, b, a)}"
        )
    if extra := sorted(theirs.keys() - ours.keys()):
        raise Incompatible(
            f"'{b}' has {len(extra)} tensors that '{a}' lacks, the first is {extra[0]}. {_untied(extra, a, b)}"
        )
    for name, header in ours.items():
        other = theirs[name]
        rows = is_vocabulary(header, donor.config) and is_vocabulary(other, source.config)
        if other.shape[rows:] != header.shape[rows:] or (other.shape != header.shape and not fills):
            way_out = f"Where the vocabularies differ, {UNION}." if rows else "Not mergeable."
            raise Incompatible(f"{name} is {other.shape} in '{b}' and {header.shape} in '{a}'. {way_out}")
        if other.dtype != header.dtype and not (other.dtype in FLOATS and header.dtype in FLOATS):
            raise Incompatible(
                f"{name} is {other.dtype} in '{b}' and {header.dtype} in '{a}'. Dequantise the model first."
            )


def _untied(names: Sequence[str], without: str, with_: str) -> str:
    if list(names) == ["lm_head.weight"]:
        return f"'{without}' ties it to its embeddings and '{with_}' does not: untie the one, or tie the other."
    return "Not mergeable."
