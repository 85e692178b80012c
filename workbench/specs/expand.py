"""Sweeps to single merges: the cross product of the axes, names filled in, references resolved and put in order.

A reference in `model:` is `base`, an expert, another candidate, or `best-of PATTERN`, the candidate of that pattern
with the best validation mean. `each: PATTERN` lists every model that matches; `each: experts` the run's experts;
`each: best-of PATTERN` the best one per expert, when the pattern's sweeps have an axis over the experts.
"""

from __future__ import annotations

import fnmatch
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from workbench.specs.candidate import Candidate, Each, Entry
from workbench.specs.complaints import Loc, complaints
from workbench.specs.load import Document, did_you_mean, sentence
from workbench.specs.merge import Input, MergeSpec
from workbench.specs.methods import METHODS
from workbench.specs.run import RunSpec
from workbench.specs.search import SearchSpec
from workbench.specs.searches import Search

BASE = "base"
ALIGNED = "aligned"
BEST_OF = "best-of "
AS_WRITTEN = ("variant", "dtype", "out_dtype", "tokenizer_source", "tokenizer", "chat_template")
"""Keys of a candidate that its merges have as they stand."""


@dataclass(frozen=True)
class Merge:
    """One merge of a run. `expert` is the value of its axis over the experts, if it has one.

    An `intermediate` one is scored on validation alone and never chosen.
    """

    name: str
    spec: MergeSpec
    expert: str | None
    members: Mapping[str, tuple[str, ...]]
    """For each `best-of` reference: the candidates it chooses from."""
    intermediate: bool = False

    @property
    def references(self) -> tuple[str, ...]:
        """Names of the models this merge reads, in listed order, base model last if it is not listed."""
        return self.spec.references


@dataclass(frozen=True)
class _Filled:
    """A candidate with its axes filled in, its references still patterns."""

    name: str
    expert: str | None
    loc: Loc
    candidate: Candidate
    values: Mapping[str, Any]


def expand(run: RunSpec, document: Document) -> tuple[list[Merge], list[Search]]:
    """All merges of a run, inputs before those that read them, and its searches. Problems go into the document."""
    filled: dict[str, _Filled] = {}
    taken = (*run.trained, BASE, ALIGNED, run.base)
    for key, candidate in run.candidates.items():
        for one in _fill(key, candidate, run, document):
            if one.name in (*filled, *taken):
                document.add(one.loc, f"the name '{one.name}' is taken already. Use every axis in the name: {{axis}}.")
            filled.setdefault(one.name, one)
    merges = {name: merge for name, one in filled.items() if (merge := _merge(one, filled, run, document))}
    for name in run.searches.keys() & {*filled, *taken}:
        document.add(("searches", name), f"the name '{name}' is taken already. Give the search another one.")
    if not run.searches and not run.candidates:
        document.add(("candidates",), "nothing to merge: give 'candidates', 'searches', or both.")
    elif not run.searches and all(candidate.intermediate for candidate in run.candidates.values()):
        document.add(("candidates",), "all candidates are intermediate: none can be chosen. Take it off one of them.")
    searches = [_search(name, spec, filled, run, document) for name, spec in run.searches.items()]
    return _ordered(merges, filled, document), searches


def _search(name: str, spec: SearchSpec, filled: Mapping[str, _Filled], run: RunSpec, document: Document) -> Search:
    loc: Loc = ("searches", name)
    if spec.out_dtype != run.score.dtype:
        document.add(
            loc,
            f"the search scores what it writes: 'out_dtype' ({spec.out_dtype}) and the score's 'dtype' "
            f"({run.score.dtype}) must be the same.",
        )
    written = Candidate(merge_method=spec.merge_method, models=spec.models)
    names = _Names(_Filled(name, None, loc, written, {}), filled, run, document, {})
    models = []
    for entry in names.inputs(spec.models):
        try:
            models.append(Input.model_validate(entry))
        except ValidationError as errors:
            for complaint in complaints(errors, entry):
                document.add((*loc, "models"), f"{entry['model']}: {sentence(complaint, Input)}")
    base = BASE if spec.base_model is None else names.model(spec.base_model, (*loc, "base_model"))
    return Search(name, spec, tuple(models), base, names.members)


def _fill(key: str, candidate: Candidate, run: RunSpec, document: Document) -> Iterator[_Filled]:
    loc: Loc = ("candidates", key)
    written = (
        key, candidate.models, candidate.slices, candidate.modules, candidate.base_model, candidate.parameters,
        candidate.seed,
    )  # fmt: skip
    for axis in dict.fromkeys(axis for text in _texts(written) for axis in re.findall(r"{(.*?)}", text)):
        if axis not in candidate.axes:
            document.add(loc, f"'{{{axis}}}' is no axis of '{key}'. {did_you_mean(axis, candidate.axes)}")
            return
    axes = {axis: run.experts if values == "experts" else values for axis, values in candidate.axes.items()}
    over_experts = [axis for axis, values in candidate.axes.items() if values == "experts"]
    for point in itertools.product(*axes.values()):
        values = dict(zip(axes, point, strict=True))
        name = str(_put(key, values))
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
            document.add(loc, f"'{name}' is no name for a model. Use letters, digits, '.', '_' and '-'.")
            return
        yield _Filled(name, str(values[over_experts[0]]) if over_experts else None, loc, candidate, values)


def _texts(value: Any) -> Iterator[str]:
    """All texts in a value, however deep."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Each | Entry):
        yield from _texts(value.model_dump())
    elif isinstance(value, dict | list | tuple):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _texts(part)


def _put(value: Any, values: Mapping[str, Any]) -> Any:
    """`"{t}"` becomes the axis value with its type; `"x-{t}"` becomes text; containers are walked."""
    if isinstance(value, dict):
        return {k: _put(v, values) for k, v in value.items()}
    if isinstance(value, list):
        return [_put(v, values) for v in value]
    if not isinstance(value, str):
        return value
    if (whole := re.fullmatch(r"{(\w+)}", value)) and whole[1] in values:
        return values[whole[1]]
    return re.sub(r"{(\w+)}", lambda m: str(values.get(m[1], m[0])), value)


def _merge(one: _Filled, filled: Mapping[str, _Filled], run: RunSpec, document: Document) -> Merge | None:
    candidate = one.candidate
    names = _Names(one, filled, run, document, {})
    before = len(document.problems)
    entries = names.inputs(candidate.models)
    layouts = {key: names.layout(getattr(candidate, key), (*one.loc, key)) for key in ("slices", "modules")}
    method = METHODS.get(candidate.merge_method)
    base = BASE if method is not None and method.base == "required" else None
    if candidate.base_model is not None:
        base = names.model(candidate.base_model, (*one.loc, "base_model"))
    if len(document.problems) > before:
        return None
    raw = {
        "merge_method": candidate.merge_method,
        "models": entries,
        **layouts,
        "base_model": base,
        "parameters": _put(candidate.parameters, one.values),
        "seed": _put(candidate.seed, one.values),
        **candidate.model_dump(include=set(AS_WRITTEN)),
    }
    try:
        return Merge(one.name, MergeSpec.model_validate(raw), one.expert, names.members, candidate.intermediate)
    except ValidationError as errors:
        for complaint in complaints(errors, raw):
            place = complaint.loc
            if isinstance(candidate.models, Each) and place[:1] == ("models",):  # declared once, for every model
                place = ("models", *place[2:])
            document.add((*one.loc, *place), f"{one.name}: {sentence(complaint, MergeSpec)}")
        return None


@dataclass(frozen=True)
class _Names:
    """Resolves the models that one candidate names; what it cannot resolve is a problem of the document."""

    one: _Filled
    filled: Mapping[str, _Filled]
    run: RunSpec
    document: Document
    members: dict[str, tuple[str, ...]]

    def inputs(self, models: Sequence[Entry] | Each) -> list[dict[str, Any]]:
        """The models of a merge with their parameters, as they are listed or as `each` stands for them."""
        values = self.one.values
        if isinstance(models, Each):
            found = self.each(_put(models.each, values))
            return [{"model": name, "parameters": _put(models.parameters, values)} for name in found]
        return [
            {
                "model": self.model(entry.model, (*self.one.loc, "models", index)),
                "parameters": _put(entry.parameters, values),
            }
            for index, entry in enumerate(models)
        ]

    def model(self, name: str, loc: Loc) -> str:
        """A model by its own name, or a `best-of` reference, whose members are recorded."""
        name = str(_put(name, self.one.values))
        if name.startswith(BEST_OF):
            found = _matching(name.removeprefix(BEST_OF), self.filled, self.one.name)
            if not found:
                self.document.add(loc, f"no candidate matches '{name}'. Known: {', '.join(self.filled)}.")
            self.members[name] = found
            return name
        known = [BASE, *self.run.experts, *self.filled]
        if name == self.run.base:
            return BASE
        if name not in known:
            hint = did_you_mean(name, known)
            self.document.add(loc, f"model '{name}' is no expert or candidate of this run. {hint}")
        return name

    def each(self, pattern: str) -> list[str]:
        """All models that `each: pattern` lists."""
        if pattern == "experts":
            return list(self.run.experts)
        found = _matching(pattern.removeprefix(BEST_OF), self.filled, self.one.name)
        if not found:
            self.document.add(
                (*self.one.loc, "models", "each"),
                f"no candidate matches '{pattern}'. Write 'experts', or a pattern over: {', '.join(self.filled)}.",
            )
        if not pattern.startswith(BEST_OF):
            return list(found)
        groups: dict[str | None, list[str]] = {}
        for name in found:
            groups.setdefault(self.filled[name].expert, []).append(name)
        for expert, names in groups.items():
            self.members[pattern if expert is None else f"{pattern} for {expert}"] = tuple(names)
        return list(self.members)

    def layout(self, value: Any, loc: Loc) -> Any:
        """Slices or modules with axes filled in and every model's name resolved."""
        if isinstance(value, list):
            return [self.layout(part, (*loc, i)) for i, part in enumerate(value)]
        if not isinstance(value, dict):
            return _put(value, self.one.values)
        return {
            key: self.model(part, (*loc, key))
            if key in ("model", "base_model") and isinstance(part, str)
            else self.layout(part, (*loc, key))
            for key, part in value.items()
        }


def _matching(pattern: str, filled: Mapping[str, _Filled], self_name: str) -> tuple[str, ...]:
    return tuple(name for name in filled if name != self_name and fnmatch.fnmatchcase(name, pattern))


def _ordered(merges: dict[str, Merge], filled: Mapping[str, _Filled], document: Document) -> list[Merge]:
    """Inputs first; a merge that reads itself through others is a problem."""
    done: dict[str, Merge] = {}

    def visit(name: str, path: tuple[str, ...]) -> None:
        if name in done or name not in merges:
            return
        if name in path:
            circle = " -> ".join((*path[path.index(name) :], name))
            document.add(filled[name].loc, f"circular merge: {circle}. Take one of them out of the circle.")
            return
        merge = merges[name]
        for reference in merge.references:
            for needed in merge.members.get(reference, (reference,)):
                visit(needed, (*path, name))
        done[name] = merge

    for name in merges:
        visit(name, ())
    return list(done.values())
