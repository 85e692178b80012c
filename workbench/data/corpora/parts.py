"""Long texts in parts that can be read one at a time: cut where a section or paragraph begins, each with its title."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

MOST_WORDS = 1_200
HEADING_WORDS = 15
"""A longer line is none, however it ends."""

_SENTENCE_END = re.compile(r"(?<=[.!?])[\"')\]]*\s+(?=[\"'(\[]?[A-Z0-9])")
_BULLET = re.compile(r"[-*•]\s|\(?\w{1,3}[.)]\s")


@dataclass(frozen=True)
class _Block:
    """A line, or a piece of one too long for a part; before it stood `gap`: an empty line, a line break, a space."""

    gap: str
    text: str

    @property
    def words(self) -> int:
        return len(self.text.split())

    @property
    def heading(self) -> bool:
        """Whether it announces what follows: a short line that is no list item and does not end as a sentence does."""
        short = self.words <= HEADING_WORDS and self.gap != " "
        return short and not _BULLET.match(self.text) and self.text[-1] not in ".;,!"


def parts(title: str, text: str, most_words: int = MOST_WORDS) -> list[str]:
    """The text under its title, in as few parts as hold at most `most_words` each, about equally long.

    Every part is the title, an empty line and its share; the parts in order are the whole text. A cut falls between
    lines, never right below a heading, inside a line between sentences, inside a sentence between words. White space
    at the ends of lines goes, more than one empty line becomes one. A text without words has no parts; one that
    begins with its title has it once. Raises ValueError for a title that leaves no room.
    """
    title = " ".join(title.split())
    room = most_words - len(title.split())
    if room < 1:
        raise ValueError(f"A title of {most_words - room} words leaves no room in parts of {most_words}: '{title}'.")
    blocks = [block for line in _lines(_untitled(title, text)) for block in _fitting(line, room)]
    return [f"{title}\n\n{_joined(share)}" if title else _joined(share) for share in _shares(blocks, room)]


def _untitled(title: str, text: str) -> str:
    first, _, rest = text.strip().partition("\n")
    return rest if title and first.strip() == title else text


def _lines(text: str) -> Iterator[_Block]:
    gap = "\n"
    for piece in re.split(r"(\s*\n\s*)", text.strip()):
        if piece.strip():
            yield _Block(gap, piece.strip())
        else:
            gap = "\n\n" if piece.count("\n") > 1 else "\n"


def _fitting(line: _Block, room: int) -> Iterator[_Block]:
    """The line, or pieces of it of at most `room` words that end with a sentence where one is short enough."""
    if line.words <= room:
        yield line
        return
    gap = line.gap
    for sentence in _SENTENCE_END.split(line.text):
        words = sentence.split()
        for start in range(0, len(words), room):
            yield _Block(gap, " ".join(words[start : start + room]))
            gap = " "


def _shares(blocks: Sequence[_Block], room: int) -> Iterator[list[_Block]]:
    left = sum(block.words for block in blocks)
    share: list[_Block] = []
    held = 0
    for block in blocks:
        if share and (held + block.words > room or held + block.words / 2 > left / math.ceil(left / room)):
            kept = _without_last_headings(share)
            yield share[:kept]
            left -= sum(one.words for one in share[:kept])
            share = share[kept:]
            held = sum(one.words for one in share)
        share.append(block)
        held += block.words
    if share:
        yield share


def _without_last_headings(share: Sequence[_Block]) -> int:
    """How many leading blocks are left when the headings at the end go along with what follows; all, if none would."""
    kept = len(share)
    while kept and share[kept - 1].heading:
        kept -= 1
    return kept or len(share)


def _joined(share: Sequence[_Block]) -> str:
    first, *rest = share
    return first.text + "".join(block.gap + block.text for block in rest)
