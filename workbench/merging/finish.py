"""What makes a folder of weights a model: config, tokenizer, chat template, generation config, card; and its check."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from workbench.errors import Incompatible, StepFailed
from workbench.merging.headers import config_of, read_folder
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
    paper: str
    inputs: tuple[str, ...]
    recipe: str
    licences: tuple[str, ...]


def write_card(card: Card, out: Path) -> None:
    """README.md of a merged model: front matter, method, inputs, recipe, licences."""
    lines = [
        "---", "library_name: transformers", "tags: [merge, mergekit]", "---", "",
        f"# {card.name}", "",
        f"Merged by the expert-composition workbench with `{card.method}` ({card.paper}), through mergekit 0.1.5.", "",
        "Inputs, in order:", "",
        *(f"{i}. `{name}`" for i, name in enumerate(card.inputs)), "",
        "Recipe (`recipe.yaml`; models are the inputs above by number):", "",
        "```yaml", card.recipe.rstrip(), "```", "",
        f"Licences of the inputs and their training data: {'; '.join(card.licences) or 'not declared'}.", "",
        "Research software; not for clinical use.",
    ]  # fmt: skip
    write_text(out / "README.md", "\n".join(lines) + "\n")


def check_output(base: Path, out: Path) -> None:
    """Raise unless `out` has the base's tensors, all finite, with shapes that its config agrees with.

    mergekit drops tensors that its architecture file does not list, without a word: the names are compared.
    """
    ours, theirs = read_folder(base), read_folder(out)
    if lost := sorted(ours.keys() ^ theirs.keys()):
        raise StepFailed(f"{out.name}: the merge and its base differ in {len(lost)} tensors, the first is {lost[0]}.")
    for name, header in theirs.items():
        if header.shape != ours[name].shape:
            raise StepFailed(f"{out.name}: {name} came out as {header.shape}, the base has {ours[name].shape}.")
    check_finite(out, out.name)
    _load_empty(out)


def check_finite(folder: Path, name: str) -> None:
    """Raise Incompatible with the first tensor that holds NaN or infinity. Reads every weight once."""
    import torch
    from safetensors import safe_open

    for file in sorted({header.file for header in read_folder(folder).values()}):
        with safe_open(folder / file, framework="pt") as weights:
            for tensor in weights.keys():  # noqa: SIM118
                if not torch.isfinite(weights.get_tensor(tensor)).all():
                    raise Incompatible(f"'{name}': {tensor} holds NaN or infinity. Mend or leave out that model.")


def _load_empty(folder: Path) -> None:
    """Build the model on the meta device: its own shapes must be those of the file. Tied weights may be absent."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    config = AutoConfig.from_pretrained(folder)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    wanted = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    for name, header in read_folder(folder).items():
        if name in wanted and wanted[name] != header.shape:
            raise StepFailed(f"{folder.name}: {name} is {header.shape}, but config.json says {wanted[name]}.")
    absent = wanted.keys() - read_folder(folder).keys()
    if untied := sorted(absent - set(getattr(model, "_tied_weights_keys", None) or ())):
        raise StepFailed(f"{folder.name}: lacks {untied[0]}, which config.json asks for.")
