from __future__ import annotations

import pytest

from workbench.board.escape import markdown, printable


def test_control_characters_become_spaces():
    assert printable("a\x1b[31mb\nc\td\u202ee") == "a [31mb c d e"
    assert printable("naïve ±4.5 ★ 模型") == "naïve ±4.5 ★ 模型"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a|b", r"a\|b"),
        (r"a\|b", r"a\\\|b"),
        ("*a*", r"\*a\*"),
        ("[a](b)", r"\[a\](b)"),
        ("`a`", r"\`a\`"),
        ("<img src=x>", "&lt;img src=x&gt;"),
        ("&lt;", "&amp;lt;"),
        ("_a_", r"\_a\_"),
        ("__init__", r"\_\_init\_\_"),
        ("mini_error_detection", "mini_error_detection"),
        ("# a #1", r"\# a #1"),
        ("## a", r"\## a"),
        ("#DG", "#DG"),
        ("- a", r"\- a"),
        ("---", r"\---"),
        ("-0.5", "-0.5"),
        ("a\n\n# b", "a  # b"),
    ],
)
def test_markdown_shows_text_as_it_is(text, shown):
    assert markdown(text) == shown
