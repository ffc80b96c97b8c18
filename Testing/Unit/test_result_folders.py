"""Temporary folders of the panel: only what lies in them is ever removed."""

from __future__ import annotations

from pathlib import Path

from CIMLSegmentSlicerLib.result_folders import ResultFolders


def test_only_folders_of_its_own_are_removed(tmp_path: Path) -> None:
    folders = ResultFolders()
    job = folders.new()
    (job / "result").mkdir()
    (tmp_path / "mine.txt").write_text("mine")
    folders.remove(tmp_path)
    # What a scene from a file may name: a way out of the temporary folder.
    out = Path(*[".."] * len(job.parts)) / tmp_path.relative_to(tmp_path.anchor)
    folders.remove(job / out)
    folders.remove(job.parent / ".." / "x")
    folders.remove(job.parent)
    assert (tmp_path / "mine.txt").read_text() == "mine"
    assert (job / "result").is_dir()
    folders.remove(job / "result")
    assert not job.exists()
    folders.clear()
