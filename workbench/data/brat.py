"""Events of brat's standoff format, as the 2022 n2c2/UW task gives SHAC: x.txt beside x.ann, many of them in a zip.

The lines of an .ann file, with <tab> for a tab:

    T1<tab>Tobacco 0 6<tab>Smoked                 a span of the text, by character offsets
    T2<tab>StatusTime 0 6;7 12<tab>Smoked until   one that a line break cuts in two
    A1<tab>StatusTimeVal T2 past                  a span's value
    E1<tab>Tobacco:T1 Status:T2                   an event: its trigger, then its arguments
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from workbench.errors import UserError

SPAN = re.compile(r"(T\d+)\t(\S+) (\d+ \d+(?:;\d+ \d+)*)\t(.*)")
EVENT = re.compile(r"(E\d+)\t([^\s:]+):(T\d+)((?: [^\s:]+:T\d+)*)")
VALUE = re.compile(r"(A\d+)\t(\S+) (T\d+) (\S+)")


@dataclass(frozen=True)
class Argument:
    """A span of an event: what it tells (StatusTime), the words from its first to its last character, its value."""

    type: str
    words: str
    value: str | None


@dataclass(frozen=True)
class Event:
    """What a text says of one subject (Tobacco), without the trigger's own words."""

    type: str
    arguments: tuple[Argument, ...]


@dataclass(frozen=True)
class Document:
    """A text and its events in the order of the .ann file; `name` is its path in the zip, without a suffix."""

    name: str
    text: str
    events: tuple[Event, ...]


def documents(path: Path) -> list[Document]:
    """The annotated texts of a zip, in the order of their names.

    Raises UserError for a file that is no zip, for an .ann without its .txt and a .txt without its .ann, and for
    annotations that cannot be read.
    """
    try:
        with zipfile.ZipFile(path) as file:
            found = {name: file.read(name) for name in file.namelist() if _counts(PurePosixPath(name))}
    except (zipfile.BadZipFile, RuntimeError) as error:  # RuntimeError: it asks for a password
        raise UserError(f"{path}: cannot be read as a zip ({error}). Zip the .txt and .ann files again.") from error
    texts = {name: _decoded(path, name, raw) for name, raw in sorted(found.items())}
    stems = sorted({str(PurePosixPath(name).with_suffix("")) for name in texts})
    for stem in stems:
        for here, other in ((".ann", ".txt"), (".txt", ".ann")):
            if stem + other not in texts:
                raise UserError(f"{path}: {stem}{here} has no {stem}{other} beside it. Zip both.")
    return [Document(s, texts[s + ".txt"], _events(path, s, texts[s + ".txt"], texts[s + ".ann"])) for s in stems]


def _counts(name: PurePosixPath) -> bool:
    """Whether it is a text or its annotations; "._x.ann" and __MACOSX are a Mac's notes on files."""
    return name.suffix in (".txt", ".ann") and not name.name.startswith(".") and name.parts[0] != "__MACOSX"


def _decoded(path: Path, name: str, raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: {name} is not UTF-8 at byte {error.start}. Use the files as published.") from error


def _events(path: Path, stem: str, text: str, annotations: str) -> tuple[Event, ...]:
    spans: dict[str, tuple[str, str]] = {}
    values: dict[str, str] = {}
    events: list[re.Match[str]] = []
    for number, line in enumerate(map(str.rstrip, annotations.split("\n")), 1):
        if found := SPAN.fullmatch(line):
            spans[found[1]] = found[2], _words(path, f"{stem}.ann, line {number}", text, found[3], found[4])
        elif found := VALUE.fullmatch(line):
            values[found[3]] = found[4]
        elif found := EVENT.fullmatch(line):
            events.append(found)
        elif line and not line.startswith("#"):  # "#1 AnnotatorNotes T1" is a note
            raise UserError(f"{path}: {stem}.ann, line {number} is no span, event or value. Use it as published.")
    where = f"{path}: {stem}.ann"
    return tuple(Event(e[2], tuple(_arguments(f"{where}, event {e[1]}", e[4], spans, values))) for e in events)


def _words(path: Path, where: str, text: str, offsets: str, copy: str) -> str:
    """The text from the span's first to its last character, checked against the copy that the line holds."""
    parts = [(int(start), int(end)) for start, end in (part.split() for part in offsets.split(";"))]
    if " ".join(text[start:end] for start, end in parts).split() != copy.split():
        raise UserError(f"{path}: {where}: the .txt has other words at {offsets}. Use both files as published.")
    return text[parts[0][0] : parts[-1][1]]


def _arguments(
    where: str, roles: str, spans: Mapping[str, tuple[str, str]], values: Mapping[str, str]
) -> Iterator[Argument]:
    for role in roles.split():
        span = role.partition(":")[2]
        if span not in spans:
            raise UserError(f"{where}: there is no {span}. Use the files as published.")
        yield Argument(*spans[span], values.get(span))
