"""Calling the command inside this process, as a user would type it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from workbench.cli.main import run


@dataclass(frozen=True)
class Said:
    """Exit code and the two streams of a command."""

    code: int
    out: str
    err: str

    @property
    def words(self) -> str:
        """What was printed, however the terminal broke its lines."""
        return " ".join(self.out.split())


Command = Callable[..., Said]


@pytest.fixture
def workbench(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Command:
    """`workbench("plan", "x.yaml")` with no data at hand, and without touching this process's environment."""
    monkeypatch.setattr("workbench.cli.main._quiet_libraries", lambda: None)
    monkeypatch.setenv("TQDM_DISABLE", "1")
    monkeypatch.delenv("WORKBENCH_MIRROR", raising=False)
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path / "cache"))

    def command(*words: str) -> Said:
        try:
            code = run(words)
        except SystemExit as exit:
            code = int(exit.code or 0)
        streams = capsys.readouterr()
        return Said(code, streams.out, streams.err)

    return command
