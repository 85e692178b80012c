"""A folder per step id below runs/store. The only writer there.

A step writes into a temporary folder; `commit` writes the manifest last, flushes everything to disk and renames. A
folder with a manifest under its final name is therefore whole; anything else is rubbish of a killed run, swept at the
next start.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from workbench.errors import StepFailed, UserError
from workbench.ids import SHORT, file_sha256
from workbench.records import Provenance

MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Artifact:
    """A committed step: its folder and its manifest."""

    path: Path
    manifest: dict[str, Any]

    def json(self, name: str) -> Any:
        """A JSON file of the artifact."""
        return json.loads((self.path / name).read_text())

    def json_lines(self, name: str) -> list[dict[str, Any]]:
        """The records of a file with one JSON object a line."""
        return [json.loads(line) for line in (self.path / name).read_text().splitlines()]


class Store:
    """Artifacts by content id, in `root/store/<kind>/<name>-<short id>/`."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def folder(self, kind: str, name: str, step_id: str) -> Path:
        """Final folder of a step, whether or not it exists."""
        return self.root / "store" / kind / f"{name}-{step_id[:SHORT]}"

    def get(self, kind: str, step_id: str) -> Artifact | None:
        """The committed artifact of a step, under whatever name it was made, or None.

        A folder without a manifest of this very id counts as none.
        """
        for folder in sorted((self.root / "store" / kind).glob(f"[!.]*-{step_id[:SHORT]}")):
            try:
                manifest = json.loads((folder / MANIFEST).read_text())
            except (FileNotFoundError, NotADirectoryError, ValueError):
                continue
            if isinstance(manifest, dict) and manifest.get("id") == step_id:
                return Artifact(folder, manifest)
        return None

    @contextmanager
    def writing(self, kind: str, name: str, step_id: str) -> Iterator[Path]:
        """A temporary folder beside the final one; removed when the body does not reach `commit`.

        Raises UserError when the store cannot be written, StepFailed when the disk is full.
        """
        temp = self.folder(kind, name, step_id).with_name(f".{name}-{step_id[:SHORT]}.tmp-{os.getpid()}")
        with _disk_errors(self.root, "Pass --runs with a folder you own."):
            self.sweep(temp.parent)
            shutil.rmtree(temp, ignore_errors=True)  # of a dead process with our number: containers count from 1
            temp.mkdir(parents=True)
            try:
                yield temp
            finally:
                shutil.rmtree(temp, ignore_errors=True)

    def commit(
        self, temp: Path, kind: str, name: str, step_id: str, spec: Any, provenance: Provenance,
        hashed: Mapping[str, str] = MappingProxyType({}),
    ) -> Artifact:  # fmt: skip
        """Seal a temporary folder: hash its files, write the manifest last, fsync, rename to the final name.

        `hashed` are the sha256 of files that were hashed while they were written.
        """
        files = {p.relative_to(temp).as_posix(): p for p in sorted(temp.rglob("*")) if p.is_file()}
        manifest = {
            "id": step_id,
            "kind": kind,
            "name": name,
            "spec": spec,
            "files": {
                n: {"bytes": p.stat().st_size, "sha256": hashed.get(n) or file_sha256(p)} for n, p in files.items()
            },
            "provenance": asdict(provenance),
        }
        for path in files.values():
            fsync(path)
        write_json(temp / MANIFEST, manifest)
        for folder in (temp, *(p for p in temp.rglob("*") if p.is_dir())):
            fsync(folder)
        final = self.folder(kind, name, step_id)
        with alone(self.root / "store" / "lock"):
            if (found := self.get(kind, step_id)) is not None:  # another process was first
                return found
            if final.exists():  # a folder that `get` refused: left by hand or by an older layout
                shutil.rmtree(final)
            temp.rename(final)
        fsync(final.parent)
        return Artifact(final, json.loads((final / MANIFEST).read_text()))

    def sweep(self, folder: Path) -> None:
        """Remove temporary folders of processes that are gone."""
        for temp in folder.glob(".*.tmp-*"):
            pid = temp.name.rpartition("-")[2]
            if pid.isdecimal() and not _alive(int(pid)):
                shutil.rmtree(temp, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    """Replace a file in one go: readers see the old text or the new, never half of it. Raises as `Store.writing`."""
    with _disk_errors(path.parent, "Name a folder you own."):
        path.parent.mkdir(parents=True, exist_ok=True)
        temp = path.with_name(f".{path.name}.tmp-{os.getpid()}")
        temp.write_text(text)
        fsync(temp)
        temp.replace(path)


def write_json(path: Path, value: Any) -> None:
    """`write_text` of indented JSON; NaN is refused, because an undefined number is null."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


@contextmanager
def alone(lock: Path) -> Iterator[None]:
    """No other process, and no other thread, is between these lines with the same lock file meanwhile."""
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # given back by the system, even of a process that is killed
        yield


def fsync(path: Path) -> None:
    """Flush a file or folder to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def disk_full(root: Path) -> str:
    """The sentence for a full disk."""
    there = next(folder for folder in (root.absolute(), *root.absolute().parents) if folder.exists())
    free = shutil.disk_usage(there).free / 1e9
    return f"{root}: the disk is full ({free:.1f} GB left). Free space, then start again: finished steps are kept."


@contextmanager
def _disk_errors(root: Path, way_out: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise StepFailed(disk_full(root)) from error
        place = Path(str(error.filename or root))
        refused = error.errno in (errno.EACCES, errno.EROFS, errno.EPERM, errno.ENOTDIR)
        if (refused and place.is_relative_to(root)) or (error.errno == errno.EEXIST and place == root):
            raise UserError(f"{place}: cannot be written. {way_out}") from error
        raise
