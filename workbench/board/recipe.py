"""The numbers of a merge in one line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from workbench.board.numbers import MISSING


def line(recipe: Mapping[str, Any]) -> str:
    """`ties of a, b: weight 0.731, 1.02; density 0.5`: one number for each model in order, or one for all.

    `recipe` is a MergeSpec without its defaults. A gradient over the layers is in brackets.
    """
    models: Sequence[Mapping[str, Any]] = recipe["models"]
    of_each = [one.get("parameters", {}) for one in models]
    names = dict.fromkeys(name for parameters in of_each for name in parameters)
    parts = [f"{name} {_of_models([parameters.get(name) for parameters in of_each])}" for name in names]
    parts += [f"{name} {_text(value)}" for name, value in recipe.get("parameters", {}).items()]
    parts += [f"{name} {recipe[name]}" for name in ("seed", "variant") if recipe.get(name) is not None]
    numbers = f": {'; '.join(parts)}" if parts else ""
    return f"{recipe['merge_method']} of {', '.join(one['model'] for one in models)}{numbers}"


def _of_models(values: Sequence[Any]) -> str:
    texts = [MISSING if value is None else _text(value) for value in values]
    return texts[0] if len(set(texts)) == 1 else ", ".join(texts)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{', '.join(map(_text, value))}]"
    if isinstance(value, Mapping):  # a value for the tensors that a filter or a regex finds
        return f"{value.get('filter') or value.get('regex') or 'others'} {_text(value['value'])}"
    return f"{value:g}" if float(value).is_integer() else f"{value:.3g}"
