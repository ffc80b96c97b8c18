"""Folders that grow from export to export, also when two exports meet."""

from __future__ import annotations

from contextlib import contextmanager

import pytest

from MultimodalImagingLib.errors import UsageError
from MultimodalImagingLib.record import export_folder
from MultimodalImagingLib.record.export_folder import open_export
from MultimodalImagingLib.record.locks import locked


def add(export, name, text):
    return export.write(name, text, lambda path: path.write_text(text, encoding="utf-8"))


def test_what_another_export_added_while_this_one_waited_is_kept(tmp_path, monkeypatch):
    folder = tmp_path / "export"
    with open_export(folder, "test", option="--out") as first:
        add(first, "a", "1")
        first.save()

    @contextmanager
    def waited(path, **options):
        monkeypatch.setattr(export_folder, "locked", locked)
        with open_export(folder, "test", option="--out") as other:
            add(other, "b", "2")
            other.content["round"] = 2
            other.save()
        with locked(path, **options) as held:
            yield held

    monkeypatch.setattr(export_folder, "locked", waited)
    with open_export(folder, "test", option="--out") as late:
        assert set(late.files) == {"a", "b"}
        assert late.content == {"round": 2}


def test_a_folder_of_somebody_else_is_refused_and_gets_no_lock(tmp_path):
    (tmp_path / "mine.txt").write_text("mine", encoding="utf-8")
    with (
        pytest.raises(UsageError, match="neither empty nor an export"),
        open_export(tmp_path, "test", option="--out"),
    ):
        pytest.fail("It was opened.")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
