"""What makes a folder of weights a model: config, tokenizer, chat template, generation config, card."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.store import write_json, write_text

TOKENIZER = (
    "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "tokenizer.model",
    "vocab.json", "merges.txt", "chat_template.jinja",
)  # fmt: skip
GENERATION = "generation_config.json"


def copy_companions(base: Path, tokenizer: Path | None, out: Path) -> None:
    """Copy the base's generation config, and tokenizer and chat template of a folder, if one is given, as they are."""
    for path in (base / GENERATION, *((tokenizer / name for name in TOKENIZER) if tokenizer else ())):
        if path.is_file():
            shutil.copyfile(path, out / path.name)


def write_config(config: Mapping[str, Any], out: Path, dtype: str) -> None:
    """config.json with the dtype of the weights that were written."""
    kept = {key: value for key, value in config.items() if key != "torch_dtype"}
    write_json(out / "config.json", {**kept, "dtype": dtype})


@dataclass(frozen=True)
class Card:
    """What a model card says of a merge."""

    name: str
    method: str
    source: str
    engine: str
    inputs: tuple[str, ...]
    recipe: str
    licences: tuple[str, ...]


def write_card(card: Card, out: Path) -> None:
    """README.md of a merged model: front matter, method, inputs, recipe, licences."""
    lines = [
        "---", "library_name: transformers", "tags: [merge, mergekit]", "---", "",
        f"# {card.name}", "",
        f"Merged by the expert-composition workbench with `{card.method}` ({card.source}), computed by {card.engine}.",
        "",
        "Inputs, in order:", "",
        *(f"{i}. `{name}`" for i, name in enumerate(card.inputs)), "",
        "Recipe (`recipe.yaml`; models are the inputs above by number):", "",
        "```yaml", card.recipe.rstrip(), "```", "",
        f"Licences of the inputs and their training data: {'; '.join(card.licences) or 'not declared'}.", "",
        "Research software; not for clinical use.",
    ]  # fmt: skip
    write_text(out / "README.md", "\n".join(lines) + "\n")
