"""The scorer as a model of lm-eval's: `--model workbench` on a command line, `model="workbench"` in Python.

lm-eval's releases up to 0.4.13 read no plug-ins. With them, `workbench-lm-eval` is their command line with this module
imported first, and `import workbench.scoring.registry` does the same in Python. Later ones find the entry point
`lm_eval.models` by themselves.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from lm_eval.api.registry import model_registry

from workbench.errors import UserError
from workbench.ids import SHORT, canonical_json, folder_sha256
from workbench.scoring.packed import PackedScorer
from workbench.scoring.remembered import Remembered

NAME = "workbench"

FOLDERS = ("pretrained", "tokenizer", "peft", "delta")
"""Options of HFLM's that name what answers come from."""

NO_PART = frozenset({"batch_size", "max_batch_size", "device"})
"""Options that change no answer."""


class Workbench(PackedScorer):
    """`pretrained=FOLDER,dtype=bfloat16,device=cpu,batch_size=auto`, as HFLM takes them and with its defaults.

    `answers=FOLDER` keeps what the model answers there, for the same model and options to be remembered by. Not for
    tasks made of confidential data: what a model writes may quote it.
    """

    def __init__(self, pretrained: Any, answers: str | None = None, **options: Any) -> None:
        asked = {"pretrained": pretrained, **options}
        file = None if answers is None else Path(answers) / f"{identity(asked)[:SHORT]}.sqlite"
        super().__init__(**asked, remembered=Remembered(file))


def identity(options: dict[str, Any]) -> str:
    """Hex sha256 of a model and of what else its answers depend on; folders count by the files in them.

    Raises UserError for a model that is no folder: what a name on a hub stands for may change.
    """
    told: dict[str, str] = {}
    for name, value in options.items():
        if name in FOLDERS and value:
            folder = Path(str(value))
            if not folder.is_dir():
                raise UserError(
                    f"answers= needs files to know a model by, and {name}={value} is no folder here. "
                    f"Download it and name its folder, or leave answers= out."
                )
            told[name] = folder_sha256(folder)
        elif name not in NO_PART:
            told[name] = str(value)
    return hashlib.sha256(canonical_json(told).encode()).hexdigest()


def main() -> None:
    """lm-eval's own command line, which knows `--model workbench` by now."""
    from lm_eval.__main__ import cli_evaluate

    cli_evaluate()


if NAME not in model_registry:  # where lm-eval reads entry points, it may know already
    model_registry.register(NAME, target=Workbench)
