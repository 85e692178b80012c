"""What is known of a source of data: its files, its licence, and how one gets it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Conversion:
    """How a file is made where no file of upstream's equals it; or a folder, where one archive holds its many files.

    `inputs` are upstream's files as (name, address). They lie in one folder when `convert(folder, target)` is called,
    which writes `target`. `items` says how many lines the file must have then, or how many files the folder.
    """

    inputs: tuple[tuple[str, str], ...]
    convert: Callable[[Path, Path], None]
    items: int


@dataclass(frozen=True)
class RemoteFile:
    """One file of a source: its name here, its address at the pinned commit, and its sha256.

    Without an address it is made by its conversion; sha256 is that of the result (for a folder, over all its files).
    With neither the file is the user's own (credentialed data). Without a sha256 it was never at hand here:
    the first one that is fetched is written down beside it, and a later one must equal it.
    """

    name: str
    url: str | None = None
    sha256: str | None = None
    conversion: Conversion | None = None

    @property
    def addresses(self) -> tuple[str, ...]:
        """What is downloaded for it: nothing for the user's own file."""
        if self.conversion is not None:
            return tuple(url for _, url in self.conversion.inputs)
        return () if self.url is None else (self.url,)


@dataclass(frozen=True)
class Source:
    """A source of data with its licence; `files` is empty for data that an installed Python package carries.

    `obtain` says in one sentence how the user gets files that have no address.
    """

    name: str
    licence: str
    attribution: str
    files: tuple[RemoteFile, ...] = ()
    package: str | None = None
    obtain: str | None = None

    @property
    def confidential(self) -> bool:
        """Whether its files are the user's own, under an agreement: no text of theirs may go into results."""
        return any(not file.addresses and file.sha256 is None for file in self.files)


def from_github(repo: str, commit: str, folder: str, *files: tuple[str, str]) -> tuple[RemoteFile, ...]:
    """Files (name, sha256) of one folder of a GitHub repository at a commit; folder "" or "data/"."""
    return tuple(RemoteFile(name, raw_github(repo, commit, folder + name), sha256) for name, sha256 in files)


def raw_github(repo: str, commit: str, path: str) -> str:
    """Address of one file of a GitHub repository at a commit."""
    return f"https://raw.githubusercontent.com/{repo}/{commit}/{path}"


def github_archive(repo: str, commit: str) -> str:
    """Address of a whole GitHub repository at a commit, as a zip whose files lie below one folder."""
    return f"https://github.com/{repo}/archive/{commit}.zip"
