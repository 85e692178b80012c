"""The files of a source on this machine.

A source is looked up in the mirror first (`WORKBENCH_MIRROR`, a folder of <source>/<file>), then in the user's cache.
Only `fetch` goes to the network. A file whose checksum differs is refused wherever it was found.
A "file" may be a folder of many files: its path is the folder's, its checksum that of all of them, READMEs aside.
"""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import tempfile
import zipfile
from pathlib import Path
from xml.etree import ElementTree

from workbench.data.catalogue import SOURCES
from workbench.data.source import Conversion, RemoteFile
from workbench.errors import DataMissing
from workbench.ids import file_sha256


def cache_folder() -> Path:
    """The user's cache of fetched files: WORKBENCH_CACHE, else XDG_CACHE_HOME/workbench, else ~/.cache/workbench."""
    if folder := os.environ.get("WORKBENCH_CACHE"):
        return Path(folder)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "workbench"


def path_of(source: str, file: str) -> Path:
    """Checked path of one file of a source on this machine, or of a file below a folder of the source. No network.

    Raises DataMissing when it is neither in the mirror nor in the cache, or when its checksum differs. A folder is
    checked whole, whichever of its files is asked for.
    """
    remote = next(f for f in SOURCES[source].files if file == f.name or file.startswith(f"{f.name}/"))
    mirror = os.environ.get("WORKBENCH_MIRROR")
    for root in (Path(mirror) if mirror else None, cache_folder()):
        if root is not None and _is_there(path := root / source / remote.name, remote):
            return _checked(path, source, remote) / file[len(remote.name) + 1 :]
    if not remote.addresses:
        place = cache_folder() / source / file
        raise DataMissing(f"{source}/{file} is not on this machine. {SOURCES[source].obtain} Put it at {place}.")
    raise DataMissing(
        f"{source}/{file} is not on this machine. Run: workbench fetch {source} "
        f"(or point WORKBENCH_MIRROR at a folder that holds {source}/{file})"
    )


def _is_there(path: Path, remote: RemoteFile) -> bool:
    return path.is_file() or (remote.conversion is not None and path.is_dir())


def _checked(path: Path, source: str, remote: RemoteFile) -> Path:
    note = path.with_name(path.name + ".sha256")
    wanted = remote.sha256 or (note.read_text().strip() if note.is_file() else None)
    if wanted is not None and (found := _sha256(path)) != wanted:
        raise DataMissing(
            f"{path}: checksum {found[:12]} differs from the pinned {wanted[:12]}. "
            f"Delete the file, then run: workbench fetch {source}"
        )
    return path


def _sha256(path: Path) -> str:
    """Hex sha256 of a file's bytes, or over the names and bytes of a folder's files."""
    if not path.is_dir():
        return file_sha256(path)
    digest = hashlib.sha256()
    for file in files_in(path):
        digest.update(f"{file.relative_to(path).as_posix()}\0{file_sha256(file)}\n".encode())
    return digest.hexdigest()


def files_in(path: Path) -> list[Path]:
    """The file itself, or all files below a folder in the order of their names, without READMEs: those are no data."""
    if not path.is_dir():
        return [path]
    return sorted(file for file in path.rglob("*") if file.is_file() and file.name != "README.md")


def missing(source: str) -> str | None:
    """Why a source cannot be read here, in a sentence; None when all its files are at hand."""
    try:
        for remote in SOURCES[source].files:
            path_of(source, remote.name)
    except DataMissing as error:
        return str(error)
    return None


def to_download(source: str) -> list[str]:
    """Addresses that `fetch` would ask, each once, in its order."""
    wanted: dict[str, None] = {}
    for remote in SOURCES[source].files:
        try:
            path_of(source, remote.name)
        except DataMissing:
            wanted.update(dict.fromkeys(remote.addresses))
    return list(wanted)


def fetch(source: str, progress: bool = True) -> list[Path]:
    """Download what is not at hand into the cache, with progress, checked against the pinned sha256.

    Files that upstream does not have as they are, are made of upstream's in a folder that goes away again. pooch
    cannot resume half a file; files that came through whole are not asked for again.
    Raises DataMissing with the address and the reason when a file cannot be had or its checksum differs: then, and
    when the user interrupts, nothing of that file stays in the cache.
    """
    if missing(source) is None:
        return [path_of(source, remote.name) for remote in SOURCES[source].files]
    try:
        cache_folder().mkdir(parents=True, exist_ok=True)
        scratch = tempfile.TemporaryDirectory(prefix=".fetch-", dir=cache_folder())
    except OSError as error:
        raise DataMissing(f"{cache_folder()} cannot be written ({error}). Set WORKBENCH_CACHE to a folder.") from error
    with scratch as folder:
        return [_fetched(source, remote, Path(folder), progress) for remote in SOURCES[source].files]


def _fetched(source: str, remote: RemoteFile, scratch: Path, progress: bool) -> Path:
    try:
        return path_of(source, remote.name)
    except DataMissing:
        if not remote.addresses:
            raise
    if remote.conversion is not None:
        return _converted(source, remote, remote.conversion, scratch, progress)
    [url] = remote.addresses
    path = _retrieved(url, remote.sha256, remote.name, cache_folder() / source, progress)
    if remote.sha256 is None:
        path.with_name(path.name + ".sha256").write_text(file_sha256(path) + "\n")
    return path


def _retrieved(url: str, sha256: str | None, name: str, folder: Path, progress: bool) -> Path:
    import pooch

    pooch.get_logger().setLevel(logging.WARNING)  # its advice on hashes is for programmers
    wanted = f"sha256:{sha256}" if sha256 else None
    try:
        return Path(pooch.retrieve(url, wanted, fname=name, path=folder, progressbar=progress))
    except Exception as error:  # pooch passes on whatever its downloader raises
        raise DataMissing(f"{url} could not be fetched ({type(error).__name__}: {error}).") from error


def _converted(source: str, remote: RemoteFile, conversion: Conversion, scratch: Path, progress: bool) -> Path:
    """The converted file in the cache, moved there only when its checksum is the pinned one."""
    upstream, made = scratch / "upstream", scratch / "made"
    for name, url in conversion.inputs:
        _retrieved(url, None, name, upstream, progress)
    more = f" and {len(conversion.inputs) - 1} more" if len(conversion.inputs) > 1 else ""
    told = f"{source}/{remote.name} cannot be made of {remote.addresses[0]}{more}"
    try:
        conversion.convert(upstream, made)
    except (LookupError, ValueError, OSError, zipfile.BadZipFile, ElementTree.ParseError) as error:
        raise DataMissing(f"{told} ({type(error).__name__}: {error}).") from error
    if (found := _sha256(made)) != remote.sha256:
        raise DataMissing(
            f"{told}: the result, {_items(made):,} items of sha256 {found[:12]}, differs from the pinned "
            f"{conversion.items:,} of {str(remote.sha256)[:12]} and is not kept. "
            f"Point WORKBENCH_MIRROR at a folder that holds {source}/{remote.name}."
        )
    place = cache_folder() / source / remote.name
    if place.is_dir():  # an earlier one, found to differ
        shutil.rmtree(place)
    place.parent.mkdir(parents=True, exist_ok=True)
    return made.replace(place)


def _items(made: Path) -> int:
    """Lines of a file, files of a folder."""
    if made.is_dir():
        return len(files_in(made))
    with made.open("rb") as file:
        return sum(1 for _ in file)
