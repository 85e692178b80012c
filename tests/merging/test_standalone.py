"""`workbench merge`: a plain mergekit YAML to one new folder, whole or not at all."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path
from typing import Any

import pytest
import tiny
import torch
import yaml
from mergekit.config import MergeConfiguration
from mergekit.merge import run_merge
from mergekit.options import MergeOptions
from safetensors.torch import load_file, save_file

from workbench.errors import DataMissing, Incompatible, SpecError, StepFailed, UserError
from workbench.merging.fold import fold
from workbench.merging.standalone import merge_file


def write(path: Path, raw: dict[str, Any]) -> Path:
    path.write_text(yaml.safe_dump(raw, sort_keys=False))
    return path


def ties(base: Path | str, *experts: Path | str) -> dict[str, Any]:
    return {
        "merge_method": "ties",
        "base_model": str(base),
        "models": [{"model": str(e), "parameters": {"weight": 0.6, "density": 0.5}} for e in experts],
        "parameters": {"normalize": True},
        "dtype": "float32",
    }


def slerp(base: Path, expert: Path) -> dict[str, Any]:
    return {
        "merge_method": "slerp",
        "base_model": str(base),
        "models": [{"model": str(base)}, {"model": str(expert)}],
        "parameters": {"t": [{"filter": "self_attn", "value": [0, 0.5]}, {"value": 0.25}]},
        "dtype": "float32",
        "out_dtype": "float32",
    }


def by_mergekit(path: Path, out: Path) -> dict[str, torch.Tensor]:
    config = MergeConfiguration.model_validate(yaml.safe_load(path.read_text()))
    run_merge(config, str(out), MergeOptions(copy_tokenizer=False, write_model_card=False, quiet=True))
    return tiny.weights_of(out)


@pytest.mark.parametrize("method", ["ties", "slerp"])
def test_a_plain_mergekit_file_gives_what_mergekit_gives(
    method: str, base: Path, experts: list[Path], tmp_path: Path
) -> None:
    path = write(tmp_path / "m.yaml", ties(base, *experts) if method == "ties" else slerp(base, experts[0]))
    merge_file(path, tmp_path / "out")
    wanted = by_mergekit(path, tmp_path / "theirs")
    found = tiny.weights_of(tmp_path / "out")
    assert found.keys() == wanted.keys()
    for name, tensor in wanted.items():
        assert found[name].dtype == tensor.dtype == torch.float32
        torch.testing.assert_close(found[name], tensor, rtol=1e-6, atol=1e-7)
    assert {"recipe.yaml", "README.md", "tokenizer.json", "config.json"} <= {
        p.name for p in (tmp_path / "out").iterdir()
    }


def test_paths_are_relative_to_the_working_directory(
    base: Path, experts: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(base.parent)
    path = write(tmp_path / "m.yaml", ties(base.name, experts[0]))
    merge_file(path, tmp_path / "new" / "out")
    assert (tmp_path / "new" / "out" / "model.safetensors").is_file()


def test_an_adapter_is_folded_on_the_way(base: Path, experts: list[Path], tmp_path: Path) -> None:
    adapter = tiny.save_adapter(base, tmp_path / "adapter", rank=3)
    merge_file(write(tmp_path / "a.yaml", ties(base, f"{base}+{adapter}", experts[0])), tmp_path / "on-the-way")
    (tmp_path / "folded").mkdir()
    fold(base, adapter, "base", tmp_path / "folded")
    merge_file(write(tmp_path / "b.yaml", ties(base, tmp_path / "folded", experts[0])), tmp_path / "before")
    a, b = (tiny.weights_of(tmp_path / out) for out in ("on-the-way", "before"))
    for name in a:  # the folded model's task vector is rounded to float32 twice
        torch.testing.assert_close(a[name], b[name], rtol=0, atol=1e-7)
    assert names(tmp_path) == ["a.yaml", "adapter", "b.yaml", "before", "folded", "on-the-way"]


def test_a_folder_that_changed_is_read_again(base: Path, experts: list[Path], tmp_path: Path) -> None:
    # mergekit keeps loaders by path for the whole process; a notebook merges, trains on, and merges again.
    model = Path(shutil.copytree(experts[0], tmp_path / "model"))
    path = write(tmp_path / "m.yaml", slerp(base, model))
    merge_file(path, tmp_path / "first")
    shutil.rmtree(model)
    shutil.copytree(experts[1], model)
    merge_file(path, tmp_path / "second")
    shutil.rmtree(model)
    other = Path(shutil.copytree(experts[1], tmp_path / "other"))
    merge_file(write(tmp_path / "o.yaml", slerp(base, other)), tmp_path / "third")
    first, second, third = (tiny.weights_of(tmp_path / name) for name in ("first", "second", "third"))
    assert all(torch.equal(second[name], third[name]) for name in third)
    assert not torch.equal(first["model.norm.weight"], second["model.norm.weight"])


def test_parents_that_were_made_for_nothing_go_again(base: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "m.yaml", ties(base, tmp_path / "nowhere"))
    with pytest.raises(DataMissing):
        merge_file(path, tmp_path / "a" / "b" / "out")
    assert names(tmp_path) == ["m.yaml"]


def test_an_existing_folder_is_refused(base: Path, experts: list[Path], tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    path = write(tmp_path / "m.yaml", ties(base, experts[0]))
    with pytest.raises(UserError, match=r"out: exists already\. Name a new folder, or remove it\.$"):
        merge_file(path, tmp_path / "out")
    assert names(tmp_path) == ["m.yaml", "out"]
    assert not list((tmp_path / "out").iterdir())


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"merge_method": "tees"}, r"m\.yaml:1: .*unknown merge method 'tees'\. Did you mean 'ties'\?"),
        ({"dtpye": "float32"}, r"m\.yaml:\d+: unknown key 'dtpye'\. Did you mean 'dtype'\?$"),
        (
            {"parameters": {"lamda": 0.5}},
            r"unknown parameter 'lamda' in parameters of 'ties'\. Did you mean 'lambda'\?",
        ),
        ({"seed": 3}, r"'ties' draws nothing, so 'seed' \(3\) has no meaning: remove it"),
    ],
)
def test_mistakes_in_the_file_are_named(
    change: dict[str, Any], sentence: str, base: Path, experts: list[Path], tmp_path: Path
) -> None:
    path = write(tmp_path / "m.yaml", ties(base, experts[0]) | change)
    with pytest.raises(SpecError, match=sentence):
        merge_file(path, tmp_path / "out")
    assert names(tmp_path) == ["m.yaml"]


def test_a_model_that_is_no_folder_is_named(base: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "m.yaml", ties(base, "nowhere/expert"))
    sentence = (
        r"^model 'nowhere/expert' is no folder here, and was not downloaded\. Pin it \(nowhere/expert@REVISION\)\. "
        r"Or download it and give its path\.$"
    )
    with pytest.raises(DataMissing, match=sentence):
        merge_file(path, tmp_path / "out")
    assert names(tmp_path) == ["m.yaml"]


def test_a_hub_model_that_was_downloaded_is_found(
    base: Path, experts: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = tmp_path / "hub" / "models--owner--expert"
    shutil.copytree(experts[0], repository / "snapshots" / ("a" * 40))
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("a" * 40)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    merge_file(write(tmp_path / "m.yaml", ties(base, "owner/expert")), tmp_path / "out")
    merge_file(write(tmp_path / "n.yaml", ties(base, experts[0])), tmp_path / "wanted")
    found, wanted = tiny.weights_of(tmp_path / "out"), tiny.weights_of(tmp_path / "wanted")
    assert all(torch.equal(found[name], wanted[name]) for name in wanted)


def test_a_pinned_hub_model_that_cannot_be_had_is_named(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def unreachable(repository: str, revision: str | None, local_files_only: bool, **_: Any) -> str:
        asked.append((repository, revision, local_files_only))
        raise OSError("no network")

    monkeypatch.setattr("huggingface_hub.snapshot_download", unreachable)
    path = write(tmp_path / "m.yaml", ties(base, "owner/expert@abc"))
    with pytest.raises(
        DataMissing, match=r"^model 'owner/expert@abc' is no folder here, and the hub does not give it\."
    ):
        merge_file(path, tmp_path / "out")
    assert asked == [("owner/expert", "abc", False)]


def test_nothing_half_written_is_left_by_an_input_that_is_refused(
    base: Path, experts: list[Path], tmp_path: Path
) -> None:
    broken = Path(shutil.copytree(experts[0], tmp_path / "broken"))
    weights = load_file(broken / "model.safetensors")
    weights["model.norm.weight"][0] = torch.nan
    save_file(weights, broken / "model.safetensors", metadata={"format": "pt"})
    path = write(tmp_path / "m.yaml", ties(base, broken))
    with pytest.raises(Incompatible, match=r"broken': model\.norm\.weight holds NaN or infinity"):
        merge_file(path, tmp_path / "out")
    assert names(tmp_path) == ["broken", "m.yaml"]


def test_a_full_disk_is_one_sentence_and_leaves_nothing(
    base: Path, experts: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)  # where a full disk shows at last
    path = write(tmp_path / "m.yaml", ties(base, experts[0]))
    with pytest.raises(StepFailed, match=r"the disk is full \(\d+\.\d GB left\)\. Free space, then start again"):
        merge_file(path, tmp_path / "out")
    assert names(tmp_path) == ["m.yaml"]


def test_a_disk_that_will_be_full_is_told_before(
    base: Path, experts: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage._replace(free=1000))
    path = write(tmp_path / "m.yaml", ties(base, experts[0]))
    with pytest.raises(UserError, match=r"out: the merged model takes 0\.1 GB, 0\.0 GB are free\. Free space, or name"):
        merge_file(path, tmp_path / "out")
    assert names(tmp_path) == ["m.yaml"]


def test_a_place_that_cannot_be_written_is_named(base: Path, experts: list[Path], tmp_path: Path) -> None:
    path = write(tmp_path / "m.yaml", ties(base, experts[0]))
    with pytest.raises(
        UserError, match=r"m\.yaml/out: cannot be written \(Not a directory\)\. Name a folder you own\.$"
    ):
        merge_file(path, path / "out")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())
