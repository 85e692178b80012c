"""Killed at any moment, the store never shows a half artifact; a disk that cannot be written is one sentence."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from workbench.errors import StepFailed, UserError
from workbench.records import Provenance
from workbench.store import Artifact, Store, write_json, write_text

ID = "ab" * 32
OTHER = "ab" * 6 + "cd" * 26
"""Another id with the same first digits: the folder's name is the same, the manifest tells them apart."""

PROVENANCE = Provenance("c0ffee", False, "3.11", {"torch": "2"}, "cpu", "workbench run x", "2025-01-01T00:00:00+00:00")

Commit = Callable[..., Artifact]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "runs")


@pytest.fixture
def commit(store: Store) -> Commit:
    """Commit an artifact that holds one file in a folder."""

    def one(name: str = "linear", step_id: str = ID, text: str = "weights") -> Artifact:
        with store.writing("merge", name, step_id) as temp:
            (temp / "sub").mkdir()
            (temp / "sub" / "model.safetensors").write_text(text)
            write_json(temp / "config.json", {"layers": 2})
            return store.commit(temp, "merge", name, step_id, {"t": 0.5}, PROVENANCE)

    return one


@pytest.fixture
def dead_pid() -> int:
    """Number of a process that was and is no more."""
    process = subprocess.Popen([sys.executable, "-S", "-c", ""])
    process.wait()
    return process.pid


def folders(store: Store) -> list[str]:
    return sorted(path.name for path in (store.root / "store" / "merge").iterdir())


def test_commit_then_get(store: Store, commit: Commit) -> None:
    assert store.get("merge", ID) is None
    made = commit()
    found = store.get("merge", ID)
    assert found == made
    assert found is not None
    assert found.path == store.root / "store" / "merge" / "linear-abababababab"
    assert found.json("config.json") == {"layers": 2}
    assert folders(store) == ["linear-abababababab"]


def test_the_manifest_says_what_it_is_of(commit: Commit) -> None:
    artifact = commit()
    manifest = artifact.json("manifest.json")
    assert manifest == artifact.manifest
    assert [manifest[key] for key in ("id", "kind", "name", "spec")] == [ID, "merge", "linear", {"t": 0.5}]
    assert manifest["provenance"]["commit"] == "c0ffee"
    assert manifest["files"].keys() == {"config.json", "sub/model.safetensors"}
    assert manifest["files"]["sub/model.safetensors"] == {
        "bytes": 7,
        "sha256": hashlib.sha256(b"weights").hexdigest(),
    }


def test_an_artifact_is_found_by_id_and_kind_under_whatever_name(store: Store, commit: Commit) -> None:
    made = commit(name="renamed-later")
    assert store.get("merge", ID) == made
    assert store.get("score", ID) is None
    assert store.get("merge", OTHER) is None


@pytest.mark.parametrize(
    "manifest", [None, "", '{"id": "', "\x00\x00", "[]", "null", json.dumps({"id": OTHER}), b"\xff"]
)
def test_a_folder_without_its_manifest_is_none(manifest: str | bytes | None, store: Store, commit: Commit) -> None:
    path = commit().path
    (path / "manifest.json").unlink()
    if manifest is not None:
        (path / "manifest.json").write_bytes(manifest if isinstance(manifest, bytes) else manifest.encode())
    assert store.get("merge", ID) is None
    assert commit(text="new weights").path == path
    assert store.get("merge", ID) is not None
    assert (path / "sub" / "model.safetensors").read_text() == "new weights"


def test_a_file_in_place_of_a_folder_is_none(store: Store) -> None:
    folder = store.folder("merge", "linear", ID)
    folder.parent.mkdir(parents=True)
    folder.write_text("no folder")
    assert store.get("merge", ID) is None


@pytest.mark.parametrize("error", [ValueError("bug"), KeyboardInterrupt(), SystemExit(1)])
def test_a_body_that_fails_leaves_nothing(error: BaseException, store: Store) -> None:
    with pytest.raises(type(error)), store.writing("merge", "linear", ID) as temp:  # noqa: PT012
        (temp / "half.safetensors").write_text("half")
        raise error
    assert folders(store) == []
    assert store.get("merge", ID) is None


def test_a_body_that_never_commits_leaves_nothing(store: Store) -> None:
    with store.writing("merge", "linear", ID) as temp:
        (temp / "model.safetensors").write_text("weights")
    assert folders(store) == []


def test_a_commit_that_fails_leaves_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"), store.writing("merge", "linear", ID) as temp:
        store.commit(temp, "merge", "linear", ID, {"weight": float("nan")}, PROVENANCE)
    assert folders(store) == []


def test_nothing_is_visible_before_the_manifest_is_written(store: Store) -> None:
    with store.writing("merge", "linear", ID) as temp:
        (temp / "model.safetensors").write_text("weights")
        assert store.get("merge", ID) is None
        write_json(temp / "manifest.json", {"id": ID})
        assert store.get("merge", ID) is None, "a temporary folder is no artifact, whatever it holds"


def test_everything_is_on_disk_before_the_folder_gets_its_name(
    store: Store, commit: Commit, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []
    inode = {}
    fsync, rename = os.fsync, Path.rename

    def fsynced(descriptor: int) -> None:
        inode[os.fstat(descriptor).st_ino] = len(events)
        events.append("fsync")
        fsync(descriptor)

    def renamed(path: Path, target: Path) -> Path:
        events.append("rename")
        return rename(path, target)

    monkeypatch.setattr("workbench.store.os.fsync", fsynced)
    monkeypatch.setattr(Path, "rename", renamed)
    artifact = commit()
    named = events.index("rename")
    inside = [artifact.path, *artifact.path.rglob("*")]
    assert len(inside) == 5
    assert all(inode[path.stat().st_ino] < named for path in inside)
    assert inode[artifact.path.parent.stat().st_ino] > named


def test_who_comes_second_takes_what_is_there(store: Store, commit: Commit) -> None:
    with store.writing("merge", "linear", ID) as temp:
        first = temp.with_name(f".linear-{ID[:12]}.tmp-1")
        first.mkdir()
        (first / "model.safetensors").write_text("first")
        store.commit(first, "merge", "linear", ID, {}, PROVENANCE)
        (temp / "model.safetensors").write_text("second")
        found = store.commit(temp, "merge", "linear", ID, {}, PROVENANCE)
    assert (found.path / "model.safetensors").read_text() == "first"
    assert folders(store) == ["linear-abababababab"]


def test_of_many_who_finish_together_one_is_kept(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    look = Store.get

    def slowly(self: Store, kind: str, step_id: str) -> Artifact | None:
        found = look(self, kind, step_id)
        time.sleep(0.05)  # all of the others look as well, before anything has its name
        return found

    def finish(number: int) -> Path:
        temp = store.folder("merge", "linear", ID).with_name(f".linear-{ID[:12]}.tmp-{number}")
        temp.mkdir(parents=True)
        (temp / "model.safetensors").write_text(str(number))
        return store.commit(temp, "merge", "linear", ID, {}, PROVENANCE).path

    monkeypatch.setattr(Store, "get", slowly)
    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(finish, range(4))) == {store.folder("merge", "linear", ID)}


def test_leftovers_of_dead_processes_are_swept_and_those_of_live_ones_kept(store: Store, dead_pid: int) -> None:
    kind = store.root / "store" / "merge"
    alive = os.getppid()
    for name in (f".a-0.tmp-{dead_pid}", f".b-0.tmp-{alive}", ".c-0.tmp-by-hand"):
        (kind / name).mkdir(parents=True)
        (kind / name / "half").write_text("half")
    with store.writing("merge", "linear", ID):
        pass
    assert folders(store) == [f".b-0.tmp-{alive}", ".c-0.tmp-by-hand"]


def test_a_leftover_with_our_own_number_is_replaced(store: Store, commit: Commit) -> None:
    """In a container every process may have the number 1."""
    left = store.root / "store" / "merge" / f".linear-abababababab.tmp-{os.getpid()}"
    left.mkdir(parents=True)
    (left / "stale").write_text("half")
    assert commit().manifest["files"].keys() == {"config.json", "sub/model.safetensors"}
    assert folders(store) == ["linear-abababababab"]


KILLED = """
import os, signal, sys
from pathlib import Path
from workbench.store import Store
with Store(Path(sys.argv[1])).writing("merge", "linear", sys.argv[2]) as temp:
    (temp / "model.safetensors").write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_process_shows_nothing_and_the_next_cleans_up(store: Store, commit: Commit) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, str(store.root), ID])
    assert done.returncode == -9
    assert len(folders(store)) == 1
    assert store.get("merge", ID) is None
    commit()
    assert folders(store) == ["linear-abababababab"]


def test_a_runs_folder_below_a_file_is_the_users_mistake(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    store = Store(tmp_path / "file" / "runs")
    assert store.get("merge", ID) is None
    with pytest.raises(UserError, match=r"cannot be written\. Pass --runs with a folder you own\.") as raised:  # noqa: SIM117
        with store.writing("merge", "linear", ID):
            pytest.fail("the body must not run")
    assert str(raised.value).startswith(str(store.root))


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.EPERM])
def test_a_runs_folder_that_refuses_is_the_users_mistake(
    number: int, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Path, **_: object) -> None:
        raise OSError(number, os.strerror(number), str(self))

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(UserError, match=rf"^{store.root}.*: cannot be written\. Pass --runs with a folder you own\.$"):  # noqa: SIM117
        with store.writing("merge", "linear", ID):
            pytest.fail("the body must not run")


def test_a_body_that_may_not_read_a_model_is_no_matter_of_the_runs_folder(store: Store) -> None:
    with pytest.raises(PermissionError, match="/models/base"), store.writing("merge", "linear", ID):
        raise PermissionError(errno.EACCES, "denied", "/models/base/model.safetensors")


def test_a_full_disk_fails_the_step_in_a_sentence(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(".")
    monkeypatch.setattr("workbench.store.shutil.disk_usage", lambda _: usage._replace(free=12_345_678))
    with pytest.raises(StepFailed) as raised, store.writing("merge", "linear", ID) as temp:  # noqa: PT012
        (temp / "model.safetensors").write_text("half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(temp / "model.safetensors"))
    assert str(raised.value) == (
        f"{store.root}: the disk is full (0.0 GB left). Free space, then start again: finished steps are kept."
    )
    assert raised.value.exit_code == 1
    assert folders(store) == []


def test_a_disk_that_is_full_before_the_first_folder(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path, **_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self))

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(StepFailed, match="the disk is full"), store.writing("merge", "linear", ID):
        pytest.fail("the body must not run")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's /dev/full")
def test_a_write_to_a_disk_that_really_is_full(store: Store) -> None:
    with pytest.raises(StepFailed, match="the disk is full"), store.writing("merge", "linear", ID) as temp:  # noqa: PT012
        (temp / "model.safetensors").symlink_to("/dev/full")
        (temp / "model.safetensors").write_text("weights")


def test_write_text_replaces_in_one_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "new" / "board.md"
    write_text(path, "old")

    def fail(self: Path, target: Path) -> None:
        assert path.read_text() == "old"
        assert self.read_text() == "new"
        raise RuntimeError("killed")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(RuntimeError, match="killed"):
        write_text(path, "new")
    assert path.read_text() == "old"
    monkeypatch.undo()
    write_text(path, "new")
    assert path.read_text() == "new"


def test_write_json_refuses_what_is_no_number(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "scores.json", {"value": float("nan")})
    assert list(tmp_path.iterdir()) == []
    write_json(tmp_path / "scores.json", {"value": None})
    assert (tmp_path / "scores.json").read_text() == '{\n  "value": null\n}\n'


@pytest.mark.parametrize("place", ["file", "file/below"])
def test_write_text_below_a_file_is_the_users_mistake(place: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"cannot be written\. Name a folder you own\."):
        write_text(tmp_path / place / "board.md", "text")
