"""A program replaces what it wrote and nothing else, and stays out of a cohort's folders."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from MultimodalImagingLib.errors import UsageError
from MultimodalImagingLib.record.ownership import (
    KNOWN,
    Ownership,
    Written,
    check_apart,
    check_beside,
    check_outside,
    check_own,
    checksums,
    is_free,
)


def written(folder: Path) -> Written | None:
    try:
        return dict(json.loads((folder / "marker.json").read_text()))
    except (OSError, ValueError):
        return None


OWN = Ownership("a test's folder", "marker.json", written)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "own"
    (folder / "maps").mkdir(parents=True)
    (folder / "label.nii").write_text("label")
    (folder / "maps" / "map.nii").write_text("map")
    (folder / "marker.json").write_text(json.dumps(checksums(folder)))
    return folder


def test_an_unchanged_folder_is_own_and_also_one_that_lost_files(folder: Path) -> None:
    check_own(folder, OWN)
    (folder / "maps" / "map.nii").unlink()
    (folder / "maps").rmdir()
    check_own(folder, OWN)


@pytest.mark.parametrize(
    "name", ["notes.txt", ".DS_Store", "maps/edited.seg.nrrd", "more/deep/file", "marker.json~"]
)
def test_a_foreign_file_is_named(folder: Path, name: str) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("mine")
    with pytest.raises(UsageError, match=name.replace(".", r"\.")):
        check_own(folder, OWN)


def test_an_empty_foreign_folder_is_named(folder: Path) -> None:
    (folder / "empty").mkdir()
    with pytest.raises(UsageError, match="empty"):
        check_own(folder, OWN)


def test_an_edited_file_is_named_even_if_size_and_time_are_kept(folder: Path) -> None:
    path = folder / "label.nii"
    state = path.stat()
    path.write_text("LABEL")
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    with pytest.raises(UsageError, match=r"label\.nii in it changed"):
        check_own(folder, OWN)


def test_without_checksums_a_file_younger_than_the_marker_counts_as_edited(folder: Path) -> None:
    (folder / "marker.json").write_text(json.dumps({"label.nii": None, "maps/map.nii": None}))
    check_own(folder, OWN)
    later = time.time() + 60
    os.utime(folder / "label.nii", (later, later))
    with pytest.raises(UsageError, match=r"label\.nii in it changed"):
        check_own(folder, OWN)


def test_a_file_of_known_name_may_change_but_not_become_a_link(
    folder: Path, tmp_path: Path
) -> None:
    (folder / "marker.json").write_text(json.dumps({"label.nii": KNOWN, "maps/map.nii": KNOWN}))
    (folder / "label.nii").write_text("changed")
    check_own(folder, OWN)
    (folder / "label.nii").rename(tmp_path / "elsewhere")
    (folder / "label.nii").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match=r"label\.nii"):
        check_own(folder, OWN)


def test_files_links_and_folders_without_marker_are_not_own(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "link").symlink_to(folder)
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "marker.json").write_text("[")
    for name in ("file", "link", "loop", "other", "nowhere"):
        with pytest.raises(UsageError, match="left as it"):
            check_own(tmp_path / name, OWN)
    with pytest.raises(UsageError, match="it is no folder"):
        check_own(tmp_path / "file", OWN)


def test_a_file_that_became_a_link_or_a_folder_is_not_own(folder: Path, tmp_path: Path) -> None:
    (folder / "label.nii").rename(tmp_path / "elsewhere")
    (folder / "label.nii").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match=r"label\.nii"):
        check_own(folder, OWN)
    (folder / "label.nii").unlink()
    (folder / "label.nii").mkdir()
    with pytest.raises(UsageError, match=r"label\.nii"):
        check_own(folder, OWN)


def test_only_nothing_and_empty_folders_are_free(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    free = {n: is_free(tmp_path / n) for n in ("file", "dangling", "empty", "nowhere")}
    assert free == {"file": False, "dangling": False, "empty": True, "nowhere": True}
    assert not is_free(tmp_path)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    image = tmp_path / "data" / "cohort" / "case00" / "t1.nii"
    image.parent.mkdir(parents=True)
    image.write_text("image")
    (tmp_path / "data" / "link").symlink_to(tmp_path / "data" / "cohort")
    return image


@pytest.mark.parametrize(
    "output",
    [
        "data",
        "data/cohort",
        "data/cohort/",
        "data/cohort/case00",
        "data/cohort/case00/results/deep",
        "data/nowhere/../cohort",
        "data/link",
        "data/link/case00",
        "data/link/case00/../../cohort/case00/x",
        ".",
    ],
)
def test_an_output_at_the_images_of_a_cohort_is_refused(
    image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, output: str
) -> None:
    for path in (tmp_path / output, Path(output)):
        monkeypatch.chdir(tmp_path)
        with pytest.raises(UsageError, match=r"holds images.*--here"):
            check_apart(path, [image], option="--here")


@pytest.mark.parametrize(
    "output",
    ["out", "data/out", "data/cohort/results", "data/cohort/case00-results", "data/cohort/case000"],
)
def test_an_output_beside_the_images_is_fine(image: Path, tmp_path: Path, output: str) -> None:
    check_apart(tmp_path / output, [image])
    (tmp_path / output).mkdir(parents=True)
    check_apart(tmp_path / output, [image])


def test_the_record_may_lie_beside_images(image: Path) -> None:
    check_apart(image.parent / ".crossmodal" / "results" / "model", [image])


def test_the_folder_that_an_image_is_linked_from_is_kept_clear(image: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    store.mkdir()
    image.rename(store / "t1.nii")
    image.symlink_to(store / "t1.nii")
    with pytest.raises(UsageError):
        check_apart(image.parent, [image])


def test_single_images_only_refuse_their_own_folder(image: Path) -> None:
    with pytest.raises(UsageError, match=r"t1\.nii"):
        check_beside(image.parent / "." / "..", [image.parent / ".." / "t1.nii"])
    with pytest.raises(UsageError, match=r"t1\.nii"):
        check_beside(image.parent, [image])
    check_beside(image.parent / "out", [image])


def test_an_output_in_a_folder_with_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    for output in ("model", "model/x", "model/../model"):
        with pytest.raises(UsageError, match="holds a model"):
            check_outside(tmp_path / output, tmp_path / "model", holds="a model")
    check_outside(tmp_path, tmp_path / "model", holds="a model")
    check_outside(tmp_path / "model", tmp_path / "nowhere", holds="a model")
