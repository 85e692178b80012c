"""SHAC's standoff format: a zip written by hand, read back by hand; and all that can be wrong with one."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from workbench.data.brat import Argument, Document, Event, documents
from workbench.errors import UserError

TEXT = "Used to be a chef.\nTobacco: quit\n7 years ago. Alcohol, drugs: no"
#       0         1          2         3          4         5
#       0123456789012345678 901234567890123 456789012345678901234567890123
ANN = """\
T1\tEmployment 13 17\tchef
T2\tStatusEmploy 0 7\tUsed to
T9\tType 13 17\tchef
A1\tStatusEmployVal T2 unemployed
E1\tEmployment:T1 Status:T2 Type:T9
#1\tAnnotatorNotes E1\tis this one right?
T3\tTobacco 19 26\tTobacco
T4\tStatusTime 28 32\tquit
T5\tHistory 28 32;33 44\tquit 7 years ago
E2\tTobacco:T3 Status:T4 History:T5\x20
A2\tStatusTimeVal T4 past
T6\tAlcohol 46 53\tAlcohol
T7\tDrug 55 60\tdrugs
T8\tStatusTime 62 64\tno
A3\tStatusTimeVal T8 none
E3\tAlcohol:T6 Status:T8
E4\tDrug:T7 Status:T8
E5\tLivingStatus:T1
"""
NO = Argument("StatusTime", "no", "none")
EVENTS = (
    Event("Employment", (Argument("StatusEmploy", "Used to", "unemployed"), Argument("Type", "chef", None))),
    Event("Tobacco", (Argument("StatusTime", "quit", "past"), Argument("History", "quit\n7 years ago", None))),
    Event("Alcohol", (NO,)),
    Event("Drug", (NO,)),
    Event("LivingStatus", ()),
)


def zipped(folder: Path, files: dict[str, str | bytes]) -> Path:
    path = folder / "shac_test.zip"
    with zipfile.ZipFile(path, "w") as file:
        for name, content in files.items():
            file.writestr(name, content)
    return path


def refused(path: Path) -> str:
    with pytest.raises(UserError) as caught:
        documents(path)
    return str(caught.value).removeprefix(f"{path}: ")


def test_events_with_their_words_and_values(tmp_path: Path) -> None:
    path = zipped(tmp_path, {"test/uw/2.txt": TEXT, "test/uw/2.ann": ANN})
    assert documents(path) == [Document("test/uw/2", TEXT, EVENTS)]


def test_windows_line_ends_of_the_annotations_do_not_matter(tmp_path: Path) -> None:
    path = zipped(tmp_path, {"2.txt": TEXT, "2.ann": ANN.replace("\n", "\r\n")})
    assert documents(path)[0].events == EVENTS


def test_documents_come_by_name_and_a_macs_notes_are_no_documents(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {f"test/{name}": "" for name in ("b.ann", "b.txt", "a.txt", "a.ann")}
    extra = dict.fromkeys(("__MACOSX/test/._a.ann", "test/._b.txt", "test/.DS_Store", "README"), b"\xff")
    assert documents(zipped(tmp_path, files | extra)) == [Document("test/a", "", ()), Document("test/b", "", ())]


def test_each_half_of_a_pair_wants_the_other(tmp_path: Path) -> None:
    assert refused(zipped(tmp_path, {"t/1.ann": ANN})) == "t/1.ann has no t/1.txt beside it. Zip both."
    assert refused(zipped(tmp_path, {"t/1.txt": TEXT})) == "t/1.txt has no t/1.ann beside it. Zip both."


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (
            "28 32\tquit",
            "27 31\tquit",
            "1.ann, line 8: the .txt has other words at 27 31. Use both files as published.",
        ),
        (
            "46 53\tAlcohol",
            "46 99\tAlcohol",
            "1.ann, line 12: the .txt has other words at 46 99. Use both files as published.",
        ),
        (
            "T8\tStatusTime 62 64\tno",
            "T8 StatusTime 62 64 no",
            "1.ann, line 14 is no span, event or value. Use it as published.",
        ),
        ("Drug:T7 Status:T8", "Drug:T7 Status:T99", "1.ann, event E4: there is no T99. Use the files as published."),
    ],
)
def test_annotations_that_do_not_fit_are_refused(old: str, new: str, sentence: str, tmp_path: Path) -> None:
    assert ANN.count(old) == 1
    assert refused(zipped(tmp_path, {"1.txt": TEXT, "1.ann": ANN.replace(old, new)})) == sentence


def test_a_text_whose_line_ends_were_changed_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path, {"1.txt": TEXT.replace("\n", "\r\n"), "1.ann": ANN})
    assert refused(path) == "1.ann, line 7: the .txt has other words at 19 26. Use both files as published."


def test_a_text_in_another_encoding_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path, {"1.txt": "Möbel".encode("latin-1"), "1.ann": ""})
    assert refused(path) == "1.txt is not UTF-8 at byte 1. Use the files as published."


def test_what_is_no_zip_or_asks_for_a_password_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path, {"1.txt": TEXT, "1.ann": ANN})
    raw = bytearray(path.read_bytes())
    raw[6] |= 1  # bit 0 of the flags: encrypted; once in the file's own header, once in the directory's
    raw[raw.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(raw)
    assert refused(path).startswith("cannot be read as a zip (File '1.txt' is encrypted")
    path.write_text("not a zip")
    assert refused(path) == "cannot be read as a zip (File is not a zip file). Zip the .txt and .ann files again."
