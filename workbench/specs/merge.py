"""One merge, in mergekit's vocabulary: method, models, parameters. Ready to run once its names are resolved."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from workbench.specs.common import Dtype, Spec
from workbench.specs.load import did_you_mean
from workbench.specs.methods import METHODS, Method

Scalar = bool | float | int
Gradient = list[Scalar]


class Filtered(Spec):
    """A value for the tensors whose name holds `filter`, or matches `regex`. The first match wins; neither matches all.

    A filter is a substring, as in mergekit, and "*" matches all; a regular expression may match anywhere in the name.
    """

    value: Scalar | Gradient
    filter: str | None = None
    regex: str | None = None


def _listed(given: Any) -> Any:
    """A single filtered value, which mergekit takes as well, as a list of one."""
    return [given] if isinstance(given, dict) and "value" in given else given


Setting = Annotated[Scalar | Gradient | list[Filtered], BeforeValidator(_listed)]
"""A scalar, a gradient over the layers (list of numbers), or a list of filtered values."""


class Input(Spec):
    """One model of a merge with its own parameters."""

    model: str
    parameters: dict[str, Setting] = {}


class SliceSource(Input):
    """A range of layers of one model, the last one excluded."""

    layer_range: Annotated[list[int], Field(min_length=2, max_length=2)]


class Slice(Spec):
    """Some layers of the merged model, made of the same number of layers of each source (mergekit)."""

    sources: Annotated[list[SliceSource], Field(min_length=1)]
    base_model: str | None = None
    residual_weight: float | None = None
    parameters: dict[str, Setting] = {}


class Module(Spec):
    """One module of a model with several, such as a text decoder (mergekit)."""

    models: list[Input] = []
    slices: list[Slice] = []
    parameters: dict[str, Setting] = {}


class Tokenizer(Spec):
    """Which tokenizer the merged model gets, and where single tokens' embeddings come from (mergekit)."""

    source: str = "union"
    tokens: dict[str, Any] | None = None
    pad_to_multiple_of: int | None = None


class MergeSpec(Spec):
    """A complete merge. `seed` is part of the recipe: methods that draw need one, others refuse it.

    Weights are computed in float32 and rounded once, to `out_dtype`, else to `dtype`, else to the type of the inputs.
    `variant: paper` computes the method as its paper has it where mergekit departs from that (METHODS says how).
    """

    merge_method: str
    models: list[Input] = []
    slices: list[Slice] = []
    modules: dict[str, Module] = {}
    base_model: str | None = None
    parameters: dict[str, Setting] = {}
    seed: int | None = None
    variant: Literal["mergekit", "paper"] = "mergekit"
    dtype: Dtype | None = None
    out_dtype: Dtype | None = None
    tokenizer_source: str | None = None
    tokenizer: Tokenizer | None = None
    chat_template: str | None = None

    @model_validator(mode="after")
    def _fits_method(self) -> Self:
        method = METHODS.get(self.merge_method)
        if method is None:
            raise ValueError(f"unknown merge method '{self.merge_method}'. {did_you_mean(self.merge_method, METHODS)}")
        if sum(map(bool, (self.models, self.slices, self.modules))) > 1:
            raise ValueError("give either 'models', 'slices' or 'modules', not several of them")
        problems = list(_layout(self))
        if not self.slices and not self.modules:
            problems += [*_inputs(self, method), *_required(self, method)]
        problems += [*_unknown(self, method), *_ranges(self, method), *_bands(self, method)]
        if self.seed is None and method.seeded:
            problems.append(f"'{method.name}' draws random numbers: add a 'seed', it is part of the recipe")
        if self.seed is not None and not method.seeded:
            problems.append(f"'{method.name}' draws nothing, so 'seed' ({self.seed}) has no meaning: remove it")
        if self.variant == "paper" and method.paper is None:
            problems.append(f"'{method.name}' has no variant: mergekit computes it as its source has it")
        if problems:
            raise ValueError("; ".join(dict.fromkeys(problems)))
        return self

    @property
    def entries(self) -> Iterator[Input]:
        """Every mention of a model with parameters, in order."""
        yield from self.models
        for part in (*self.slices, *(s for module in self.modules.values() for s in module.slices)):
            yield from part.sources
        for module in self.modules.values():
            yield from module.models

    @property
    def references(self) -> tuple[str, ...]:
        """Names of the models this merge reads, in order of mention, base models last if they are not listed."""
        slices = (*self.slices, *(s for module in self.modules.values() for s in module.slices))
        bases = [self.base_model, *(part.base_model for part in slices)]
        tokens = [self.tokenizer_source, self.tokenizer.source if self.tokenizer else None]
        donors = [name for name in tokens if name not in (None, "union", "base")]
        return tuple(dict.fromkeys(n for n in (*(e.model for e in self.entries), *bases, *donors) if n is not None))

    def renamed(self, names: Mapping[str, str]) -> MergeSpec:
        """The merge with every model called by another name."""
        raw = self.model_dump(exclude_unset=True)

        def walk(value: Any) -> Any:
            if isinstance(value, list):
                return [walk(part) for part in value]
            if not isinstance(value, dict):
                return value
            found = {key: walk(part) for key, part in value.items()}
            for key in ("model", "base_model", "tokenizer_source"):
                if isinstance(found.get(key), str):
                    found[key] = names.get(found[key], found[key])
            return found

        renamed = walk(raw)
        if self.tokenizer is not None:
            renamed["tokenizer"]["source"] = names.get(self.tokenizer.source, self.tokenizer.source)
        return MergeSpec.model_validate(renamed)

    @property
    def engine(self) -> Literal["kernels", "mergekit"]:
        """Who computes it: our kernels, or mergekit for other methods and layouts."""
        plain = not (self.slices or self.modules or self.tokenizer_source or self.tokenizer or self.chat_template)
        return "kernels" if plain and METHODS[self.merge_method].kernel else "mergekit"


def _layout(spec: MergeSpec) -> Iterator[str]:
    if spec.tokenizer_source and spec.tokenizer:
        yield "'tokenizer_source' and 'tokenizer' say the same thing: keep one"
    for _, setting in _settings(spec):
        for part in setting if isinstance(setting, list) else []:
            if isinstance(part, Filtered) and part.filter is not None and part.regex is not None:
                yield f"a value has both a filter ('{part.filter}') and a regex ('{part.regex}'): keep one"


def _inputs(spec: MergeSpec, method: Method) -> Iterator[str]:
    listed = [entry.model for entry in spec.models]
    for name in sorted({n for n in listed if listed.count(n) > 1}):
        yield f"model '{name}' is listed twice"
    if method.base == "required" and spec.base_model is None:
        yield f"'{method.name}' needs a 'base_model'"
        return
    inputs = dict.fromkeys((*listed, *([spec.base_model] if spec.base_model else [])))
    counted = [name for name in inputs if method.base == "input" or name != spec.base_model]
    least, most = method.others
    if len(counted) < least or (most is not None and len(counted) > most):
        wanted = f"exactly {least}" if least == most else f"at least {least}"
        noun = "model" if least == 1 else "models"
        beside = "" if method.base == "input" or spec.base_model is None else " besides the base"
        yield f"'{method.name}' takes {wanted} {noun}{beside}, {len(counted)} given"


def _unknown(spec: MergeSpec, method: Method) -> Iterator[str]:
    known = sorted({*method.each, *method.shared})
    of_merge = [spec.parameters, *_parts(spec)]
    given = [(name, "parameters") for parameters in of_merge for name in parameters]
    given += [(name, f"the parameters of '{entry.model}'") for entry in spec.entries for name in entry.parameters]
    for name, where in given:
        if name not in known:
            hint = did_you_mean(name, known) if known else "It takes none."
            yield f"unknown parameter '{name}' in {where} of '{method.name}'. {hint}"
        elif where != "parameters" and name not in method.each:
            yield f"'{name}' is a parameter of the whole merge, not of one model: move it up"


def _required(spec: MergeSpec, method: Method) -> Iterator[str]:
    skip = None if method.base == "input" else spec.base_model
    entries = [*spec.models]
    if spec.base_model is not None and spec.base_model not in {entry.model for entry in entries}:
        entries.append(Input(model=spec.base_model))
    for name, parameter in sorted({**method.each, **method.shared}.items()):
        if not parameter.required or name in spec.parameters:
            continue
        lacking = [entry.model for entry in entries if name not in entry.parameters and entry.model != skip]
        if name not in method.each:
            yield f"'{method.name}' needs the parameter '{name}'"
        elif lacking:
            extra = f" (for '{method.name}' the base is one more input)" if spec.base_model in lacking else ""
            yield f"'{method.name}' needs '{name}' for {', '.join(lacking)}{extra}"


def _parts(spec: MergeSpec) -> Iterator[dict[str, Setting]]:
    """Parameters of slices and modules."""
    yield from (part.parameters for part in spec.slices)
    yield from (module.parameters for module in spec.modules.values())
    yield from (part.parameters for module in spec.modules.values() for part in module.slices)


def _settings(spec: MergeSpec) -> Iterator[tuple[str, Setting]]:
    yield from spec.parameters.items()
    for entry in spec.entries:
        yield from entry.parameters.items()
    for parameters in _parts(spec):
        yield from parameters.items()


def _ranges(spec: MergeSpec, method: Method) -> Iterator[str]:
    known = {**method.each, **method.shared}
    for name, given in _settings(spec):
        if name not in known:
            continue
        for value in numbers(given):
            if not known[name].low <= value <= known[name].high:
                low, high = known[name].low, known[name].high
                bounds = f"from {low:g} to {high:g}" if high < float("inf") else f"at or above {low:g}"
                yield f"'{name}' must lie {bounds} ({value:g})"
            elif name == "density" and value == 0:
                yield "'density' must be above 0 (0): nothing of a task vector would stay. Leave the model out"


def _bands(spec: MergeSpec, method: Method) -> Iterator[str]:
    """What density leaves no room for, where both are plain numbers; the rest is checked tensor by tensor."""
    for entry in spec.models:
        given = {**spec.parameters, **entry.parameters}
        values = {
            name: given.get(name, parameter.default)
            for name, parameter in method.each.items()
            if name in ("density", "gamma", "epsilon")
        }
        if all(isinstance(value, float | int) for value in values.values()):
            yield from band_problems(values)
    if spec.variant == "mergekit" or method.paper is None or "density" not in method.each or method.seeded:
        return
    densities = [entry.parameters.get("density") for entry in spec.models] + [spec.parameters.get("density")]
    if any(isinstance(value, list) for value in densities):
        yield f"'{method.name}' in its paper's variant has one density a model: it trims over the whole model"


def band_problems(values: Mapping[str, Any]) -> Iterator[str]:
    """Why density, gamma and epsilon of one model do not go together."""
    density = float(values.get("density", 1.0))
    if density >= 1:
        return
    if "gamma" in values and density + values["gamma"] > 1 + 1e-9:
        yield (
            f"gamma ({values['gamma']:g}) and density ({density:g}) add up to more than 1: gamma is the share of the "
            "largest that is dropped, density the share that stays"
        )
    if "epsilon" in values and not (values["epsilon"] < density < 1 - values["epsilon"]):
        yield (
            f"epsilon ({values['epsilon']:g}) leaves the probabilities density +- epsilon outside (0, 1) at density "
            f"{density:g}: lower it"
        )


def numbers(given: Setting) -> Iterator[float]:
    """All numbers in a setting."""
    if isinstance(given, bool):
        return
    if isinstance(given, int | float):
        yield float(given)
    else:
        for part in given:
            yield from numbers(part.value if isinstance(part, Filtered) else part)
