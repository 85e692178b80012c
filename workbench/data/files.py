"""A corpus of the user's own: a JSON or JSON-lines file of texts, or of prompts with their completions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from workbench.data.example import Example
from workbench.data.items import Item, json_items, require, wrong


def file_examples(path: Path, prompt: Sequence[str], completion: str) -> list[Example]:
    """One example an item, in the file's order; its key is its place in the file.

    Several prompt fields follow each other as paragraphs. Raises UserError for a file that cannot be read, an item
    without one of the fields, and one whose completion is empty; each names the item.
    """
    items = json_items(path)
    require(path, items, [*prompt, completion])
    return [_example(path, at, item, prompt, completion) for at, item in enumerate(items, 1)]


def _example(path: Path, at: int, item: Item, prompt: Sequence[str], completion: str) -> Example:
    text = _text(path, at, completion, item[completion])
    if not text.strip():
        raise wrong(path, at, f"has an empty '{completion}'. Fill it in, or take the item out.")
    asked = "\n\n".join(part for name in prompt if (part := _text(path, at, name, item[name]).strip()))
    return Example(f"{asked}\n" if asked else "", text, key=str(at))


def _text(path: Path, at: int, name: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(line, str) for line in value):
        return "\n".join(value)
    raise wrong(path, at, f"has no text in '{name}' but {type(value).__name__}. Give a string, or a list of strings.")
