from __future__ import annotations

import pytest

from workbench.board.numbers import (
    count,
    difference_stderr,
    distance,
    duration,
    noise,
    percent,
    plus_minus,
    ratio,
    raw,
    score,
    with_error,
)


@pytest.mark.parametrize("write", [score, percent, raw, ratio])
def test_a_missing_number_is_a_dash(write):
    assert write(None) == "–"


def test_a_missing_error_is_left_out():
    assert plus_minus(None) == ""
    assert with_error(0.4, None) == "0.400"
    assert with_error(0.4, 0.0214, signed=True) == "+0.400 ± 0.021"


def test_scores_are_shown_in_percent():
    assert (percent(0.41249), plus_minus(0.0449), percent(1.0)) == ("41.2", "±4.5", "100.0")
    assert (percent(0.0281, signed=True), percent(-0.0281, signed=True)) == ("+2.8", "-2.8")


def test_no_number_is_minus_zero():
    assert percent(-0.0001) == "0.0"
    assert percent(-0.0001, signed=True) == "+0.0"
    assert raw(-0.0001) == "0.000"


def test_a_tiny_distance_is_not_rounded_to_nothing():
    assert (distance(0.0131), distance(0.00004)) == ("0.013", "4e-05")


def test_noise_ends_at_1_96_standard_errors():
    assert noise(0.0195, 0.01) == "within noise"
    assert noise(-0.0195, 0.01) == "within noise"
    assert noise(0.0197, 0.01) == "beyond noise"
    assert noise(0.1, None) == ""


def test_error_of_a_difference():
    assert difference_stderr(0.03, 0.04) == pytest.approx(0.05)
    assert difference_stderr(None, 0.04) is None


def test_counts():
    assert (count(1, "task"), count(2, "task"), count(0, "task")) == ("1 task", "2 tasks", "0 tasks")


def test_durations_are_in_seconds_minutes_or_hours():
    assert [duration(seconds) for seconds in (0.3, 52.4, 89, 2460, 23400)] == ["0 s", "52 s", "89 s", "41 min", "6.5 h"]
