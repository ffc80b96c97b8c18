from __future__ import annotations

import csv
from pathlib import Path

import nibabel
import numpy as np
import pytest
from exports import Desk, make_desk
from phantoms import save_nifti

from CIMLSegmentLib.__main__ import main
from MultimodalImagingLib.record.cohort_record import CaseState, open_record


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return make_desk(tmp_path / "desk", ("a, b", "c"))


def rows(table: Path) -> list[dict[str, str]]:
    with table.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def export(desk: Desk, table: Path) -> int:
    record = str(desk.folder / "record")
    return main(["export", str(desk.cohort), "--csv", str(table), "--record", record])


def test_a_row_per_case_names_images_label_and_state(desk: Desk) -> None:
    record = open_record(desk.cohort, folder=desk.folder / "record")
    record.labels.mkdir(parents=True)
    save_nifti(record.labels / "c.nii.gz", np.ones((24, 24, 24), np.uint8))
    record.change_states({"c": CaseState.LABELLED, "a, b": CaseState.SKIPPED})
    table = desk.folder / "cases.csv"
    assert export(desk, table) == 0
    found = rows(table)
    assert list(found[0]) == [
        *("uid", "patient", "state", "suggested"),
        *("volume_FLAIR", "volume_T1", "segmentation"),
    ]
    assert [(row["uid"], row["state"]) for row in found] == [("a, b", "skipped"), ("c", "labelled")]
    assert found[0]["segmentation"] == ""
    assert Path(found[1]["segmentation"]) == record.labels / "c.nii.gz"
    for row in found:
        for column in ("volume_FLAIR", "volume_T1"):
            assert nibabel.load(row[column]).shape == (24, 24, 24)


def test_the_table_is_written_anew_and_another_file_is_not_replaced(desk: Desk, capsys) -> None:
    table = desk.folder / "cases.csv"
    assert export(desk, table) == 0
    assert export(desk, table) == 0
    notes = desk.folder / "notes.csv"
    notes.write_text("case,remark\na,good\n", encoding="utf-8")
    assert export(desk, notes) == 2
    assert "--csv" in capsys.readouterr().err
    assert notes.read_text(encoding="utf-8") == "case,remark\na,good\n"


def test_images_inside_a_file_have_no_path(tmp_path: Path, capsys) -> None:
    folder = tmp_path / "decathlon"
    save_nifti(folder / "imagesTr" / "x.nii.gz", np.ones((5, 5, 5, 2), np.float32))
    (folder / "dataset.json").write_text('{"modality": {"0": "T1", "1": "T2"}}')
    table = tmp_path / "cases.csv"
    assert main(["export", str(folder), "--csv", str(table)]) == 0
    assert "x T1, x T2" in " ".join(capsys.readouterr().err.split())
    assert rows(table)[0]["volume_T1"] == ""
