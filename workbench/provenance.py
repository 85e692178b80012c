"""The only place that reads the clock, git and the machine."""

from __future__ import annotations

import functools
import platform
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from workbench.records import Provenance

PACKAGES = (
    "workbench", "torch", "transformers", "safetensors", "mergekit", "lm_eval", "peft", "trl", "accelerate", "datasets",
    "pandas", "simple-icd-10-cm",
)  # fmt: skip


def now() -> str:
    """UTC time, ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


@functools.cache
def commit() -> tuple[str, bool]:
    """(commit of the code, whether the tree has changes); ("unknown", False) outside a git checkout."""
    root = Path(__file__).resolve().parent.parent

    def git(*args: str) -> str:
        return subprocess.run(
            ["git", "-C", str(root), *args], capture_output=True, text=True, check=True
        ).stdout.strip()

    try:
        return git("rev-parse", "HEAD"), bool(git("status", "--porcelain"))
    except (OSError, subprocess.CalledProcessError):
        return "unknown", False


def _device() -> str:
    # Asks torch only when a stage has already loaded it: a plan must stay instant.
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        return str(torch.cuda.get_device_name(0))
    return f"cpu ({platform.machine()})"


def _versions() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def capture(licences: tuple[str, ...] = ()) -> Provenance:
    """Provenance of a result that is being written now. The command keeps file names, not their folders."""
    revision, dirty = commit()
    command = " ".join(["workbench", *sys.argv[1:]])
    return Provenance(revision, dirty, platform.python_version(), _versions(), _device(), command, now(), licences)
