"""What makes a folder of weights a model: config, tokenizer, chat template, generation config, card."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from workbench.merging.headers import config_of
from workbench.store import write_json, write_text

COMPANIONS = (
    "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "tokenizer.model",
    "vocab.json", "merges.txt", "chat_template.jinja", "generation_config.json",
)  # fmt: skip


def copy_companions(base: Path, out: Path) -> None:
    """Copy tokenizer, chat template and generation config of the base, as they are."""
    for name in COMPANIONS:
        if (base / name).is_file():
            shutil.copyfile(base / name, out / name)


def write_config(base: Path, out: Path, dtype: str) -> None:
    """The base's config with the dtype of the weights that were written."""
    config = config_of(base)
    config.pop("torch_dtype", None)
    write_json(out / "config.json", {**config, "dtype": dtype})


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
