"""What is known of a source of data: its files, its licence, and how one gets it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class RemoteFile:
    """One file of a source: its name here, its address at the pinned commit, and its sha256.

    Without an address the file is the user's own (credentialed data). Without a sha256 it was never at hand here:
    the first one that is fetched is written down beside it, and a later one must equal it.
    """

    name: str
    url: str | None = None
    sha256: str | None = None


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


def from_github(repo: str, commit: str, folder: str, *files: tuple[str, str]) -> tuple[RemoteFile, ...]:
    """Files (name, sha256) of one folder of a GitHub repository at a commit; folder "" or "data/"."""
    root = f"https://raw.githubusercontent.com/{repo}/{commit}/{folder}"
    return tuple(RemoteFile(name, root + name, sha256) for name, sha256 in files)
