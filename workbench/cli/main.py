"""The `workbench` command: verbs, exit codes, and how errors are shown.

Exit codes: 0 done, 1 a step failed, 2 the user's mistake (one sentence each), 130 interrupted.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence

VERBS = {
    "run": "run a file of merges from start to end: experts, merges, scores, choice, hand-off",
    "plan": "show the steps of a run, which are done, and what they take; runs nothing",
    "train": "train an expert from its declaration and ship its adapter in experts/",
    "merge": "run one merge, declared in a plain mergekit YAML",
    "diagnose": "explain a merge: how its experts' task vectors lie to one another, as tables and heatmaps",
    "score": "score any model folder on the suites of a run and put it on the board",
    "board": "show the leaderboard of a run and write it as Markdown and CSV",
    "overlap": "find the items that share 13 words with what the experts of a run read, and score without them",
    "handoff": "write the hand-off bundle (SFT, then DPO) for the chosen checkpoint of a run",
    "fetch": "download open data sets into the cache, with checksums and licences",
    "schema": "write JSON Schemas of the YAML files, for editors that complete and check",
}
"""Verb -> what it does. Each is a module here with `arguments(parser)` and `main(options)`, loaded when called."""


def main(argv: Sequence[str] | None = None) -> None:
    """Entry point of the `workbench` command."""
    sys.exit(run(sys.argv[1:] if argv is None else argv))


def run(argv: Sequence[str]) -> int:
    """Run a verb; what comes back is the exit code."""
    from workbench.errors import WorkbenchError

    parser = argparse.ArgumentParser(
        prog="workbench", description="From domain experts to the merged checkpoint that is worth aligning."
    )
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    asked = next((word for word in argv if word in VERBS), None)
    for name, text in VERBS.items():
        verb = verbs.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        if name == asked:
            importlib.import_module(f"workbench.cli.{name}").arguments(verb)
    options = parser.parse_args(argv)
    _quiet_libraries()
    try:
        return int(importlib.import_module(f"workbench.cli.{options.verb}").main(options))
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except WorkbenchError as error:
        from workbench.cli.console import sentence

        sentence(str(error))
        return error.exit_code


def _quiet_libraries() -> None:
    """One voice on the terminal: libraries keep their bars and advice to themselves."""
    for name, value in (
        ("TQDM_DISABLE", "1"),
        ("TRANSFORMERS_VERBOSITY", "error"),
        ("HF_HUB_DISABLE_PROGRESS_BARS", "1"),
        ("HF_HUB_DISABLE_TELEMETRY", "1"),
        ("LMEVAL_LOG_LEVEL", "ERROR"),
        ("TOKENIZERS_PARALLELISM", "false"),
        ("PYTHONWARNINGS", "ignore"),
    ):
        os.environ.setdefault(name, value)
    if not sys.warnoptions:
        import warnings

        warnings.simplefilter("ignore")
