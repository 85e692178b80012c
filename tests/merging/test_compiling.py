"""Machine code of the loops: never that of an older source."""

from __future__ import annotations

from pathlib import Path

from workbench.merging.kernels import compiling
from workbench.merging.kernels.loops import results


def test_the_digest_changes_with_the_text_and_the_place_of_any_file(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    caller, callee = tmp_path / "caller.py", tmp_path / "below" / "callee.py"
    caller.write_text("a = 1")
    callee.write_text("b = 2")
    seen = {compiling.digest(tmp_path)}
    callee.write_text("b = 3")
    seen.add(compiling.digest(tmp_path))
    callee.rename(tmp_path / "callee.py")
    seen.add(compiling.digest(tmp_path))
    assert len(seen) == 3


def test_loops_are_kept_under_the_digest_of_all_kernels() -> None:
    kept = Path(results.mix.stats.cache_path)  # type: ignore[attr-defined]
    assert f"loops-{compiling.digest(Path(compiling.__file__).parent)}" in kept.parts
