"""Text from users' files, made safe for the page it is shown on."""

from __future__ import annotations

import re

MARKDOWN_SPECIAL = re.compile(r"^#(?=#*(?: |$))|^[+-](?=[ -]|$)|[\\|`*~\[\]]|(?<![^\W_])_|_(?![^\W_])")


def printable(text: str) -> str:
    """The text on one line: a space for every control character, so that none steers the terminal."""
    return "".join(c if c.isprintable() else " " for c in text)


def markdown(text: str) -> str:
    """Printable text that Markdown shows as it is: no cell, heading, list, emphasis, link or HTML starts in it.

    Underscores inside a word stay bare: Markdown leaves them alone, and task names are full of them.
    """
    html_safe = printable(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return MARKDOWN_SPECIAL.sub(lambda match: "\\" + match.group(), html_safe)
