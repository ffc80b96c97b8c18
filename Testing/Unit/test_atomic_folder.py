"""Folders appear whole or not at all, and remains of killed processes are mended."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest

from MultimodalImagingLib.errors import CrossModalError, UsageError
from MultimodalImagingLib.record.atomic_folder import check_can_hold_folders, new_folder, tidy_up
from MultimodalImagingLib.record.ownership import Ownership, Written


def written(folder: Path) -> Written | None:
    return {"file": None} if (folder / "marker").is_file() else None


OWN = Ownership("a test's folder", "marker", written)


def fill(target: Path, text: str, *, divide_by: int = 1) -> None:
    with new_folder(target, replaces=OWN) as folder:
        (folder / "file").write_text(text)
        (folder / "marker").write_text("")
        _ = 1 / divide_by


def age(path: Path) -> None:
    two_days_ago = time.time() - 2 * 86400
    os.utime(path, (two_days_ago, two_days_ago))


def test_the_target_appears_at_the_end(tmp_path: Path) -> None:
    with new_folder(tmp_path / "a" / "b") as folder:
        (folder / "file").write_text("x")
        assert not (tmp_path / "a" / "b").exists()
    assert (tmp_path / "a" / "b" / "file").read_text() == "x"
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["b"]


def test_an_older_folder_of_ours_is_replaced_as_a_whole(tmp_path: Path) -> None:
    fill(tmp_path / "a", "old")
    fill(tmp_path / "a", "new")
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["file", "marker"]
    assert (tmp_path / "a" / "file").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_what_appears_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    fill(tmp_path / "a", "old")
    writing = new_folder(tmp_path / "a", replaces=OWN)
    (writing.__enter__() / "file").write_text("new")
    (tmp_path / "a" / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match=r"notes\.txt"):
        writing.__exit__(None, None, None)
    assert (tmp_path / "a" / "file").read_text() == "old"
    with pytest.raises(UsageError, match="exists already"), new_folder(tmp_path / "b"):
        (tmp_path / "b").write_text("mine")
    assert (tmp_path / "b").read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


def test_a_failure_leaves_the_older_folder_and_nothing_else(tmp_path: Path) -> None:
    fill(tmp_path / "a", "old")
    with pytest.raises(ZeroDivisionError):
        fill(tmp_path / "a", "new", divide_by=0)
    assert (tmp_path / "a" / "file").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_folder_that_cannot_be_renamed_keeps_the_older_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path / "a", "old")
    original = Path.rename

    def refuse_new(self: Path, target: Path) -> Path:
        if self.name == "new":
            raise PermissionError(13, "Permission denied")
        return original(self, target)

    monkeypatch.setattr(Path, "rename", refuse_new)
    with pytest.raises(CrossModalError, match="Permission denied"):
        fill(tmp_path / "a", "new")
    assert (tmp_path / "a" / "file").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def remains(target: Path, **contents: str) -> Path:
    """What a process leaves that is killed while it writes a folder."""
    writing = new_folder(target, replaces=OWN)
    work = writing.__enter__().parent
    kept = work.with_name("aside")
    shutil.copytree(work, kept)
    writing.__exit__(ZeroDivisionError, ZeroDivisionError(), None)
    kept.rename(work)
    for name, text in contents.items():
        (work / name).mkdir(exist_ok=True)
        (work / name / "file").write_text(text)
    return work


def test_old_remains_are_removed_and_young_ones_left(tmp_path: Path) -> None:
    old, young = remains(tmp_path / "x", new="x"), remains(tmp_path / "y")
    age(old)
    tidy_up(tmp_path)
    assert list(tmp_path.iterdir()) == [young]
    tidy_up(tmp_path / "nowhere")


@pytest.mark.parametrize("name", [".unfinished-00000000-x", ".replaced-00000000-x", ".other"])
def test_folders_without_the_marker_are_never_tidied_away(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "file").write_text("mine")
    age(tmp_path / name)
    tidy_up(tmp_path)
    assert (tmp_path / name / "file").read_text() == "mine"


def test_a_copy_of_remains_under_another_name_is_left(tmp_path: Path) -> None:
    copy = remains(tmp_path / "x", new="mine").rename(tmp_path / ".unfinished-my-notes")
    age(copy)
    tidy_up(tmp_path)
    assert (copy / "new" / "file").read_text() == "mine"


def test_a_result_whose_successor_never_arrived_comes_back(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").write_text("new")
    for name in ("lost case", "kept"):
        age(remains(tmp_path / name, old="old"))
    tidy_up(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kept", "lost case"]
    assert (tmp_path / "kept" / "file").read_text() == "new"
    assert (tmp_path / "lost case" / "file").read_text() == "old"


def test_a_place_that_can_hold_no_folders_is_refused_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "closed").mkdir(mode=0o555)
    check_can_hold_folders(tmp_path / "new" / "deep")
    for name, reason in (("file", "is no folder"), ("closed", "may not be written")):
        with pytest.raises(UsageError, match=f"{name} {reason}"):
            check_can_hold_folders(tmp_path / name / "new")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["closed", "file"]
