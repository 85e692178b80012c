"""Where each source of data comes from: files at a pinned commit, their sha256, licence and attribution.

A source is looked up in the mirror first (`WORKBENCH_MIRROR`, a folder of <source>/<file>), then in the user's cache.
Only `fetch` goes to the network. A file whose checksum differs is refused wherever it was found.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from workbench.errors import DataMissing
from workbench.ids import file_sha256


@dataclass(frozen=True)
class RemoteFile:
    """One file of a source: its name here, its address at the pinned commit, and its sha256."""

    name: str
    url: str
    sha256: str


@dataclass(frozen=True)
class Source:
    """A source of data with its licence; `files` is empty for data that an installed Python package carries."""

    name: str
    licence: str
    attribution: str
    files: tuple[RemoteFile, ...] = ()
    package: str | None = None


def _github(repo: str, commit: str, folder: str, *files: tuple[str, str]) -> tuple[RemoteFile, ...]:
    root = f"https://raw.githubusercontent.com/{repo}/{commit}/{folder}"
    return tuple(RemoteFile(name, root + name, sha256) for name, sha256 in files)


SOURCES: dict[str, Source] = {
    source.name: source
    for source in (
        Source(
            "icd10cm",
            "public domain (US government tables; ICD-10 base (c) WHO)",
            "ICD-10-CM tabular list, NCHS / CMS, through the Python package simple-icd-10-cm (MIT)",
            package="simple-icd-10-cm",
        ),
        Source(
            "mts-dialog",
            "CC BY 4.0",
            "MTS-Dialog, Ben Abacha et al. 2023 (EACL), github.com/abachaa/MTS-Dialog",
            _github(
                "abachaa/MTS-Dialog",
                "3ff0801933608d6f570468c13125125fb5cabdea",
                "Main-Dataset/",
                ("MTS-Dialog-TrainingSet.csv", "65a28681dd59fc159681ea026e44610f2af7bc64a0e7f892d763eb03d9f503dc"),
                ("MTS-Dialog-ValidationSet.csv", "227206520c4534381c0d7fba6d3f09319a9af5a6d9603a93c0341af1198e3958"),
                (
                    "MTS-Dialog-TestSet-1-MEDIQA-Chat-2023.csv",
                    "b4d38dd2c99b2e9860099abcf653f1e0f3e9b69f9fcc45be2a2699b37a4d2f37",
                ),
            ),
        ),
        Source(
            "aci-bench",
            "CC BY 4.0",
            "ACI-Bench, Yim et al. 2023 (Scientific Data), github.com/wyim/aci-bench",
            _github(
                "wyim/aci-bench",
                "b909b2bb9cf1d19de08df15cddde7bd0179665e4",
                "data/challenge_data/",
                ("train.csv", "6c778d4ac5e6cc6f1964786f9286e8d765c210f22ed6b57f83aff8497409cea4"),
                ("valid.csv", "6629e89e3fb409d2b3eceab60dc7b32fe1d3fb8d4e07795039284965522aa4d0"),
                ("clinicalnlp_taskB_test1.csv", "5cc4008e68545f84913744a8e493a58bdf17ba7e1b7a0be46d6943d6bfca9471"),
            ),
        ),
        Source(
            "meqsum",
            "CC BY 4.0",
            "MeQSum, Ben Abacha & Demner-Fushman 2019 (ACL), github.com/abachaa/MeQSum",
            _github(
                "abachaa/MeQSum",
                "51e36cf65c12602333b6fdc3ae8ecf10430529f7",
                "",
                (
                    "MeQSum_ACL2019_BenAbacha_Demner-Fushman.xlsx",
                    "abedd939d5014306ca576522416bf69103e85dc8fcf1668a4099e8b84a39eeea",
                ),
            ),
        ),
        Source(
            "pubmedqa",
            "MIT",
            "PubMedQA, Jin et al. 2019 (EMNLP), github.com/pubmedqa/pubmedqa",
            _github(
                "pubmedqa/pubmedqa",
                "1cbae8e92f72f20c8d3747cbb3bf5bc53554d997",
                "data/",
                ("ori_pqal.json", "8b3276be8942ebbd77f3ddcda12c1749bf0e490045a736fd8438ee40cf37a41d"),
                ("test_ground_truth.json", "939fe566f09017d13b1ca64d2ddfee0bc2374b366048152997669cccedc44d51"),
            ),
        ),
    )
}


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
        if root is None or not (path := root / source / file).is_file():
            continue
        if (found := file_sha256(path)) != remote.sha256:
            raise DataMissing(
                f"{path}: checksum {found[:12]} differs from the pinned {remote.sha256[:12]}. "
                f"Delete the file, then run: workbench fetch {source}"
            )
        return path
    raise DataMissing(
        f"{source}/{file} is not on this machine. Run: workbench fetch {source} "
        f"(or point WORKBENCH_MIRROR at a folder that holds {source}/{file})"
    )


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
    import pooch

    paths = []
    for remote in SOURCES[source].files:
        try:
            paths.append(path_of(source, remote.name))
            continue
        except DataMissing:
            pass
        folder = cache_folder() / source
        try:
            got = pooch.retrieve(
                remote.url, f"sha256:{remote.sha256}", fname=remote.name, path=folder, progressbar=progress
            )
        except Exception as error:  # pooch passes on whatever its downloader raises
            raise DataMissing(f"{remote.url} could not be fetched ({type(error).__name__}: {error}).") from error
        paths.append(Path(got))
    return paths
