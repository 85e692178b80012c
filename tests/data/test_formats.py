"""Sources read through the mirror: small files in the layout of the real ones, checked against their sha256."""

from __future__ import annotations

import csv
import hashlib
from pathlib import Path
from typing import Any

import pytest

from workbench.data.catalogue import SOURCES
from workbench.data.example import Example, Format, held_out
from workbench.data.formats import FORMATS, examples, formats_of, held_out_examples
from workbench.data.source import RemoteFile, Source
from workbench.data.sources import fetch, missing, path_of
from workbench.errors import DataMissing

MTS, ACI = "MTS-Dialog-TrainingSet.csv", "train.csv"
MTS_ROWS = [
    {
        "ID": "0",
        "section_header": "GENHX",
        "section_text": "The patient is a 76-year-old woman.\nShe feels well. ",
        "dialogue": 'Doctor: How old are you?\r\nPatient: Seventy-six, and my knee\'s fine, "more or less".',
    },
    {"ID": "1", "section_header": "ROS", "section_text": "Negative.", "dialogue": " ".join(["word"] * 700)},
]
ACI_ROWS = [{"dataset": "aci", "encounter_id": "D1", "dialogue": "[doctor] hi\n[patient] hello", "note": " A note. \n"}]


@pytest.fixture(autouse=True)
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A mirror of two sources whose declared checksums are those of the small files; no cache."""
    root = tmp_path / "mirror"
    monkeypatch.setenv("WORKBENCH_MIRROR", str(root))
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path / "cache"))
    for source, name, rows in (("mts-dialog", MTS, MTS_ROWS), ("aci-bench", ACI, ACI_ROWS)):
        path = root / source / name
        path.parent.mkdir(parents=True)
        with path.open("w", newline="", encoding="utf-8-sig") as file:  # the real files begin with a mark, too
            writer = csv.DictWriter(file, rows[0].keys())
            writer.writeheader()
            writer.writerows(rows)
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        declared = Source(source, "CC BY 4.0", source, (RemoteFile(name, f"https://example.org/{name}", sha256),))
        monkeypatch.setitem(SOURCES, source, declared)
    return root


def test_mts_dialogues_become_prompts_and_sections_completions() -> None:
    first, second = examples("mts-dialog", "dialogue_to_note", 1)
    assert first == Example(
        'Dialogue:\nDoctor: How old are you?\r\nPatient: Seventy-six, and my knee\'s fine, "more or less".'
        "\n\nClinical note, GENHX:\n",
        "The patient is a 76-year-old woman.\nShe feels well.",
    )
    assert second.prompt == "Dialogue:\n" + " ".join(["word"] * 600) + "\n\nClinical note, ROS:\n"
    assert second.completion == "Negative."


def test_aci_visits_are_read_with_and_without_their_dialogue() -> None:
    assert examples("aci-bench", "dialogue_to_note", 1) == [
        Example("Dialogue:\n[doctor] hi\n[patient] hello\n\nClinical note, full:\n", "A note.")
    ]
    assert examples("aci-bench", "notes", 1) == [Example("", "A note.")]


@pytest.mark.parametrize(
    ("source", "name", "format"),
    [("mts-dialog", MTS, "dialogue_to_note"), ("aci-bench", ACI, "dialogue_to_note"), ("aci-bench", ACI, "notes")],
)
def test_an_altered_file_is_refused(source: str, name: str, format: str, mirror: Path) -> None:
    path = mirror / source / name
    examples(source, format, 1)
    declared = SOURCES[source].files[0].sha256
    path.write_bytes(path.read_bytes().replace(b"note", b"nota").replace(b"Negative", b"Positive"))
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    with pytest.raises(DataMissing) as caught:
        examples(source, format, 1)
    assert str(caught.value) == (
        f"{path}: checksum {found[:12]} differs from the pinned {declared[:12]}. "
        f"Delete the file, then run: workbench fetch {source}"
    )


@pytest.mark.parametrize(("source", "name"), [("mts-dialog", MTS), ("aci-bench", ACI)])
def test_the_real_declarations_refuse_the_small_files(source: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    real = next(file for file in SOURCES[source].files if file.name == name)
    assert real.url.startswith("https://raw.githubusercontent.com/")
    assert len(real.sha256) == 64
    assert path_of_fails(source, name)


def path_of_fails(source: str, name: str) -> bool:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WORKBENCH_MIRROR", "/nowhere")
        patch.setenv("WORKBENCH_CACHE", "/nowhere")
        with pytest.raises(DataMissing, match=rf"^{source}/{name} is not on this machine\."):
            path_of(source, name)
    return True


def test_a_file_that_is_nowhere_is_named_with_both_ways_to_get_it(mirror: Path) -> None:
    (mirror / "mts-dialog" / MTS).unlink()
    with pytest.raises(DataMissing) as caught:
        examples("mts-dialog", "dialogue_to_note", 1)
    assert str(caught.value) == (
        f"mts-dialog/{MTS} is not on this machine. Run: workbench fetch mts-dialog "
        f"(or point WORKBENCH_MIRROR at a folder that holds mts-dialog/{MTS})"
    )
    assert missing("mts-dialog") == str(caught.value)
    assert missing("aci-bench") is None
    assert missing("icd10cm") is None  # an installed package carries it


def test_the_cache_is_looked_at_after_the_mirror(mirror: Path, tmp_path: Path) -> None:
    there, cached = mirror / "aci-bench" / ACI, tmp_path / "cache" / "aci-bench" / ACI
    cached.parent.mkdir(parents=True)
    cached.write_bytes(there.read_bytes())
    assert path_of("aci-bench", ACI) == there
    there.unlink()
    assert path_of("aci-bench", ACI) == cached


def test_fetch_takes_what_is_at_hand_and_downloads_the_rest(
    mirror: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_network(*_: Any, **__: Any) -> str:
        raise AssertionError("asked the network")

    monkeypatch.setattr("pooch.retrieve", no_network)
    assert fetch("aci-bench", progress=False) == [mirror / "aci-bench" / ACI]

    (mirror / "aci-bench" / ACI).unlink()
    asked: list[tuple[str, str, Path]] = []

    def retrieve(url: str, known_hash: str, fname: str, path: Path, progressbar: bool) -> str:
        asked.append((url, known_hash, path / fname))
        return str(path / fname)

    monkeypatch.setattr("pooch.retrieve", retrieve)
    [got] = fetch("aci-bench", progress=False)
    sha256 = SOURCES["aci-bench"].files[0].sha256
    assert asked == [(f"https://example.org/{ACI}", f"sha256:{sha256}", got)]
    assert got == tmp_path / "cache" / "aci-bench" / ACI


def test_a_download_that_fails_names_the_address(mirror: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> str:
        raise OSError("no route to host")

    (mirror / "aci-bench" / ACI).unlink()
    monkeypatch.setattr("pooch.retrieve", fail)
    sentence = rf"^https://example\.org/{ACI} could not be fetched \(OSError: no route to host\)\.$"
    with pytest.raises(DataMissing, match=sentence):
        fetch("aci-bench", progress=False)


def test_every_format_has_a_source_that_allows_it() -> None:
    assert {source for source, _ in FORMATS} <= SOURCES.keys()
    for (source, _), format in FORMATS.items():
        assert bool(format.files) == bool(SOURCES[source].files)
        assert set(format.files) <= {file.name for file in SOURCES[source].files}
    assert list(formats_of("aci-bench")) == ["dialogue_to_note", "notes", "encounters"]


def test_only_training_files_are_read(mirror: Path) -> None:
    assert sorted(path.name for path in mirror.rglob("*.csv")) == sorted([MTS, ACI])
    for source, format in [
        ("mts-dialog", "dialogue_to_note"),
        ("aci-bench", "dialogue_to_note"),
        ("aci-bench", "notes"),
    ]:
        assert examples(source, format, 1)  # with no other file of the source on this machine


def test_one_document_in_fifty_is_held_out_whatever_the_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    every = [Example("", f"Abstract {n}", key=str(n)) for n in range(2000)] + [Example("", "no key")]
    monkeypatch.setitem(FORMATS, ("mts-dialog", "numbered"), Format(lambda seed: every[::-1] if seed else every))
    kept = held_out_examples("mts-dialog", "numbered")
    assert 25 <= len(kept) <= 55
    assert set(examples("mts-dialog", "numbered", 1)) == set(every) - set(kept)
    assert examples("mts-dialog", "numbered", 1)[0] == every[-1]
    assert [held_out("one source", str(n)) for n in range(99)] != [held_out("other", str(n)) for n in range(99)]
