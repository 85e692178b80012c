"""The files of a source on this machine.

A source is looked up in the mirror first (`WORKBENCH_MIRROR`, a folder of <source>/<file>), then in the user's cache.
Only `fetch` goes to the network. A file whose checksum differs is refused wherever it was found.
"""

from __future__ import annotations

import os
from pathlib import Path

from workbench.data.catalogue import SOURCES
from workbench.data.source import RemoteFile
from workbench.errors import DataMissing
from workbench.ids import file_sha256


def cache_folder() -> Path:
    """The user's cache of fetched files: WORKBENCH_CACHE, else XDG_CACHE_HOME/workbench, else ~/.cache/workbench."""
    if folder := os.environ.get("WORKBENCH_CACHE"):
        return Path(folder)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "workbench"


def path_of(source: str, file: str) -> Path:
    """Checked path of one file of a source on this machine. No network.

    Raises DataMissing when it is neither in the mirror nor in the cache, or when its checksum differs.
    """
    remote = next(f for f in SOURCES[source].files if f.name == file)
    mirror = os.environ.get("WORKBENCH_MIRROR")
    for root in (Path(mirror) if mirror else None, cache_folder()):
        if root is not None and (path := root / source / file).is_file():
            return _checked(path, source, remote)
    if remote.url is None:
        place = cache_folder() / source / file
        raise DataMissing(f"{source}/{file} is not on this machine. {SOURCES[source].obtain} Put it at {place}.")
    raise DataMissing(
        f"{source}/{file} is not on this machine. Run: workbench fetch {source} "
        f"(or point WORKBENCH_MIRROR at a folder that holds {source}/{file})"
    )


def _checked(path: Path, source: str, remote: RemoteFile) -> Path:
    note = path.with_name(path.name + ".sha256")
    wanted = remote.sha256 or (note.read_text().strip() if note.is_file() else None)
    if wanted is not None and (found := file_sha256(path)) != wanted:
        raise DataMissing(
            f"{path}: checksum {found[:12]} differs from the pinned {wanted[:12]}. "
            f"Delete the file, then run: workbench fetch {source}"
        )
    return path


def missing(source: str) -> str | None:
    """Why a source cannot be read here, in a sentence; None when all its files are at hand."""
    try:
        for remote in SOURCES[source].files:
            path_of(source, remote.name)
    except DataMissing as error:
        return str(error)
    return None


def fetch(source: str, progress: bool = True) -> list[Path]:
    """Download what is not at hand into the cache, with progress, checked against the pinned sha256.

    Raises DataMissing with the address and the reason when a file cannot be had or its checksum differs.
    """
    return [_fetched(source, remote, progress) for remote in SOURCES[source].files]


def _fetched(source: str, remote: RemoteFile, progress: bool) -> Path:
    try:
        return path_of(source, remote.name)
    except DataMissing:
        if remote.url is None:
            raise
    import pooch

    wanted = f"sha256:{remote.sha256}" if remote.sha256 else None
    folder = cache_folder() / source
    try:
        path = Path(pooch.retrieve(remote.url, wanted, fname=remote.name, path=folder, progressbar=progress))
    except Exception as error:  # pooch passes on whatever its downloader raises
        raise DataMissing(f"{remote.url} could not be fetched ({type(error).__name__}: {error}).") from error
    if remote.sha256 is None:
        path.with_name(path.name + ".sha256").write_text(file_sha256(path) + "\n")
    return path
