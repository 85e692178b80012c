"""YAML to validated specs: every problem of every file at once.

Each reads `file:line: what is wrong (value). What to do.`

PyYAML's constructor forgets lines, lets the last of two equal keys win, reads `1e-4` as text and `no` as false. So
the node tree is walked here: those traps are refused, and each path keeps its line for pydantic's complaints.
"""

from __future__ import annotations

import copy
import difflib
import functools
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from workbench.errors import Problem, SpecError
from workbench.specs.complaints import Complaint, Loc, complaints

Spec = TypeVar("Spec", bound=BaseModel)

_EXPONENT = re.compile(r"[-+]?[0-9][0-9_]*(\.[0-9]*)?[eE][-+]?[0-9]+")
_WORD_BOOLEANS = {"yes", "no", "on", "off", "y", "n"}


@dataclass
class Document:
    """A YAML file as plain values, with the line of every path and the problems found so far."""

    file: str
    value: Any = None
    lines: dict[Loc, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def line(self, loc: Iterable[str | int]) -> int:
        """Line of a path, or of its nearest parent that has one (counts from 1)."""
        at = tuple(loc)
        while at and at not in self.lines:
            at = at[:-1]
        return self.lines.get(at, 1)

    def add(self, loc: Iterable[str | int], what: str) -> None:
        """Record a problem at a path."""
        self.problems.append(Problem(self.file, self.line(loc), what))


def read_yaml(path: Path, shown: str | None = None) -> Document:
    """Parse one file without running anything in it. Problems are collected in the document, not raised."""
    document = Document(shown or str(path))
    try:
        text = path.read_text(encoding="utf-8")
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        document.value = None if node is None else _value(node, (), document)
    except FileNotFoundError:
        document.problems.append(Problem(document.file, 1, "there is no such file. Check the name."))
        return document
    except (OSError, UnicodeDecodeError) as error:
        document.problems.append(Problem(document.file, 1, f"cannot be read ({error}). Is it a YAML text file?"))
        return document
    except yaml.YAMLError as error:
        line, what = _not_yaml(error, text)
        document.problems.append(Problem(document.file, line, f"is not YAML: {what}. Check indent and quotes."))
    except RecursionError:
        document.problems.append(
            Problem(document.file, 1, "holds itself, or is nested too deep. Check its aliases (*).")
        )
    return document


def _not_yaml(error: yaml.YAMLError, text: str) -> tuple[int, str]:
    """Line and reason of a syntax error; a forbidden character has a position only."""
    if isinstance(error, yaml.reader.ReaderError):
        return text[: error.position].count("\n") + 1, f"{error.reason} (character {error.character:#04x})"
    mark = getattr(error, "problem_mark", None)
    return (mark.line + 1 if mark else 1), getattr(error, "problem", None) or str(error)


def _value(node: yaml.Node, loc: Loc, document: Document) -> Any:
    document.lines.setdefault(loc, node.start_mark.line + 1)
    if node.tag not in yaml.SafeLoader.yaml_constructors and not node.tag.startswith("tag:yaml.org,2002:value"):
        document.add(loc, f"tag '{node.tag}' is not allowed: these files are plain data. Remove it.")
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, loc, document)
    if isinstance(node, yaml.SequenceNode):
        return [_value(child, (*loc, i), document) for i, child in enumerate(node.value)]
    return _scalar(node, loc, document)


def _mapping(node: yaml.MappingNode, loc: Loc, document: Document) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key_node, value_node in node.value:
        if not isinstance(key_node, yaml.ScalarNode):
            line = key_node.start_mark.line + 1
            document.problems.append(Problem(document.file, line, "a key is a list or a mapping. Write a name."))
            continue
        key = str(key_node.value)
        at = (*loc, key)
        if key in found:
            first = document.lines[at]
            document.problems.append(
                Problem(
                    document.file,
                    key_node.start_mark.line + 1,
                    f"key '{key}' stands twice (first at line {first}); YAML would keep the last. Remove one.",
                )
            )
            continue
        document.lines[at] = key_node.start_mark.line + 1
        found[key] = _value(value_node, at, document)
    return found


def _scalar(node: yaml.Node, loc: Loc, document: Document) -> Any:
    text = str(node.value)
    plain = getattr(node, "style", None) is None
    if plain and node.tag == "tag:yaml.org,2002:str" and _EXPONENT.fullmatch(text):
        mantissa, exponent = re.split("[eE]", text)
        exponent = exponent if exponent[0] in "+-" else f"+{exponent}"
        better = f"{mantissa if '.' in mantissa else mantissa + '.0'}e{exponent}"
        document.add(loc, f"YAML reads {text} as text, not as a number ('{text}'). Write {better}.")
        return float(text)  # what was meant, so that the type is not reported a second time
    if plain and node.tag == "tag:yaml.org,2002:bool" and text.lower() in _WORD_BOOLEANS:
        meant = "true" if text.lower() in ("yes", "on", "y") else "false"
        document.add(loc, f"YAML reads {text} as {meant} ({text}). Write {meant}, or quote it if text is meant.")
    value = _construct(node)
    if not isinstance(value, str | int | float | bool | None):
        document.add(loc, f"{type(value).__name__} is no type of these files ({text}). Quote it if text is meant.")
        return text
    if isinstance(value, float) and not math.isfinite(value):
        document.add(loc, f"{text} is no finite number. Write a number.")
    return value


def _construct(node: yaml.Node) -> Any:
    loader = yaml.SafeLoader("")
    try:
        return loader.construct_object(node, deep=True)
    except (yaml.YAMLError, ValueError, LookupError, AttributeError):  # such as 2024-13-45, which looks like a date
        return str(node.value)
    finally:
        loader.dispose()


def validate(document: Document, model: type[Spec]) -> Spec | None:
    """The spec that a document declares, every problem recorded in the document; None where it cannot be made out.

    Unknown keys are problems, but do not keep the rest from being read: its mistakes belong in the same answer.
    """
    if document.value is None:
        if not document.problems:
            document.add((), f"is empty; a {model.__name__} is expected here. See: workbench schema")
        return None
    try:
        return model.model_validate(document.value)
    except ValidationError as errors:
        for complaint in complaints(errors, document.value):
            document.add(complaint.loc, sentence(complaint, model))
        return _without_unknown_keys(document.value, errors, model)


def _without_unknown_keys(value: Any, errors: ValidationError, model: type[Spec]) -> Spec | None:
    found = errors.errors()
    if any(error["type"] != "extra_forbidden" for error in found):
        return None
    rest = copy.deepcopy(value)
    try:
        for error in found:
            *above, key = error["loc"]
            del functools.reduce(lambda inner, name: inner[name], above, rest)[key]
        return model.model_validate(rest)
    except (LookupError, TypeError, ValidationError):  # a place inside a union is no path in the file
        return None


def raise_problems(documents: Iterable[Document]) -> None:
    """Raise SpecError with the problems of all documents, if there are any."""
    problems = [problem for document in documents for problem in document.problems]
    if problems:
        raise SpecError(problems)


def did_you_mean(word: str, words: Iterable[str]) -> str:
    """A question with the nearest of some words, as in "Did you mean 'x'?", else the list of them."""
    options = list(words)
    near = difflib.get_close_matches(word, options, n=1, cutoff=0.6)
    if near:
        return f"Did you mean '{near[0]}'?"
    return f"Known: {', '.join(options)}." if options else "None is declared."


def sentence(complaint: Complaint, model: type[BaseModel]) -> str:
    """What is wrong and what to do, in a line."""
    name = _name(complaint.loc)
    if complaint.kind == "extra_forbidden":
        return f"unknown key '{name}'. {did_you_mean(name, _siblings(model, complaint.loc[:-1]))}"
    if complaint.kind == "missing":
        return f"'{name}' is missing. Add it."
    shown = repr(complaint.given)
    shown = shown if len(shown) <= 60 else shown[:57] + "..."
    message = re.sub(r"^Value error, | or instance of \w+", "", complaint.message).rstrip(".")
    message = message[0].lower() + message[1:]
    where = f"'{name}': " if name else ""
    if complaint.kind == "value_error":
        return f"{where}{message}" if message.endswith("?") else f"{where}{message}."
    return f"{where}{message} ({shown}). Correct the value."


def _name(loc: Loc) -> str:
    """The last key of a path with the indices behind it: `experts[1]`."""
    keys = [at for at, part in enumerate(loc) if isinstance(part, str) and part != "[key]"]
    return (
        "".join(part if isinstance(part, str) else f"[{part}]" for part in loc[keys[-1] :] if part != "[key]")
        if keys
        else ""
    )


def _siblings(model: type[BaseModel], loc: tuple[str | int, ...]) -> list[str]:
    """Field names (aliases) of the model that stands at a path, as far as the type says."""
    at: list[type[BaseModel]] = [model]
    for part in loc:
        nested: list[type[BaseModel]] = []
        for candidate in at:
            fields = {info.alias or name: info for name, info in candidate.model_fields.items()}
            if isinstance(part, str) and part in fields:
                nested += _models_in(fields[part].annotation)
        at = nested or at  # an index, a key of a mapping, or a union tag
    return [info.alias or name for candidate in at for name, info in candidate.model_fields.items()]


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [found for arg in getattr(annotation, "__args__", ()) for found in _models_in(arg)]
