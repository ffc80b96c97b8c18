from __future__ import annotations

import csv
import json
import re
import shutil
from pathlib import Path

import nibabel
import numpy as np
import pytest
from exports import Desk, make_desk
from folder_state import folder_state
from phantoms import AFFINE, save_nifti
from segment_files import save_segments

from CIMLSegmentLib.exchange.splits import dealt_folds, splits
from MultimodalImagingLib.images.stored_image import ImageFile
from MultimodalImagingLib.images.volume_io import read_grid, read_volume

CASES = [f"pat{n}" for n in range(1, 8)]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_desk(tmp_path_factory.mktemp("exports") / "desk", CASES).folder


@pytest.fixture
def desk(template: Path, tmp_path: Path) -> Desk:
    return Desk(Path(shutil.copytree(template, tmp_path / "desk")))


def export(desk: Desk, *words: object) -> int:
    return desk.run("export", desk.cohort, "--nnunet", desk.output, *words)


def files(desk: Desk, folder: str) -> list[str]:
    return sorted(path.name for path in (desk.output / folder).iterdir())


def described(desk: Desk, name: str = "dataset.json"):
    return json.loads((desk.output / name).read_text(encoding="utf-8"))


def voxels(path: Path) -> np.ndarray:
    return np.asarray(nibabel.load(path).dataobj)


def test_a_raw_data_set_is_what_nnunet_reads(desk: Desk) -> None:
    desk.label("pat1", "pat2")
    assert export(desk) == 0
    assert files(desk, "imagesTr") == [f"pat{n}_000{c}.nii.gz" for n in (1, 2) for c in (0, 1)]
    assert files(desk, "labelsTr") == ["pat1.nii.gz", "pat2.nii.gz"]
    assert len(files(desk, "imagesTs")) == 2 * 5
    content = described(desk)
    assert content["channel_names"] == {"0": "FLAIR", "1": "T1"}
    assert content["labels"] == {"background": 0, "core": 1, "edema": 2, "enhancing": 3}
    assert (content["numTraining"], content["file_ending"]) == (2, ".nii.gz")


def test_voxels_and_places_are_those_of_the_cohort(desk: Desk) -> None:
    desk.label("pat1")
    assert export(desk) == 0
    for number, name in enumerate(("flair", "t1")):
        written = desk.output / "imagesTr" / f"pat1_000{number}.nii.gz"
        original = desk.cohort / "pat1" / f"{name}.nii.gz"
        assert np.array_equal(voxels(written), voxels(original))
        assert np.allclose(nibabel.load(written).affine, nibabel.load(original).affine)
    truth = voxels(desk.folder / "truth" / "pat1.nii.gz")
    label = voxels(desk.output / "labelsTr" / "pat1.nii.gz")
    assert label.dtype == np.uint8
    for before, after in ((1, 1), (2, 2), (4, 3)):  # nnU-Net takes no gaps
        assert (truth == before).any()
        assert np.array_equal(label == after, truth == before)


def test_the_next_round_adds_cases_and_changes_nothing_else(desk: Desk) -> None:
    desk.label("pat3", "pat5")
    assert export(desk) == 0
    before = folder_state(desk.output)
    desk.label("pat1", "pat6", "pat7")
    assert export(desk) == 0
    after = folder_state(desk.output)
    kept = [name for name in before if re.search(r"pat[35]", name)]
    assert len(kept) == 2 * 3
    assert {name: after[name] for name in kept} == {name: before[name] for name in kept}
    assert files(desk, "labelsTr") == [f"pat{n}.nii.gz" for n in (1, 3, 5, 6, 7)]
    assert files(desk, "imagesTs") == [f"pat{n}_000{c}.nii.gz" for n in (2, 4) for c in (0, 1)]
    assert described(desk)["numTraining"] == 5
    rounds = {
        n: e["round"]
        for n, e in described(desk, "crossmodal-export.json")["content"]["cases"].items()
    }
    assert rounds == {
        "pat1": 2,
        "pat2": None,
        "pat3": 1,
        "pat4": None,
        "pat5": 1,
        "pat6": 2,
        "pat7": 2,
    }


def test_an_export_again_writes_nothing(desk: Desk) -> None:
    desk.label("pat1")
    assert export(desk) == 0
    before = {path: path.stat().st_mtime_ns for path in desk.output.glob("*/*")}
    assert export(desk) == 0
    assert {path: path.stat().st_mtime_ns for path in desk.output.glob("*/*")} == before
    assert described(desk, "crossmodal-export.json")["content"]["round"] == 1


def test_a_label_that_was_corrected_is_exported_anew(desk: Desk) -> None:
    desk.label("pat1")
    assert export(desk) == 0
    corrected = voxels(desk.labels / "pat1.nii.gz").copy()
    corrected[corrected == 4] = 1
    save_nifti(desk.labels / "pat1.nii.gz", corrected)
    assert export(desk) == 0
    assert set(np.unique(voxels(desk.output / "labelsTr" / "pat1.nii.gz"))) == {0, 1, 2}


def test_what_somebody_changed_in_the_data_set_stays(desk: Desk, capsys) -> None:
    desk.label("pat1")
    assert export(desk) == 0
    edited = desk.output / "labelsTr" / "pat1.nii.gz"
    save_nifti(edited, np.zeros((24, 24, 24), np.uint8))
    description = desk.output / "dataset.json"
    description.write_text(
        json.dumps({**described(desk), "channel_names": {"0": "a", "1": "noNorm"}})
    )
    before = edited.read_bytes()
    desk.label("pat2")
    assert export(desk) == 0
    assert edited.read_bytes() == before
    assert "labelsTr/pat1.nii.gz" in capsys.readouterr().err
    assert described(desk)["channel_names"]["1"] == "noNorm"
    assert described(desk)["numTraining"] == 2


def test_splits_are_by_patient_and_stay(tmp_path: Path) -> None:
    desk = make_desk(tmp_path / "desk", CASES)
    rows = ["case,patient,FLAIR,T1"]
    for n, case in enumerate(CASES):
        images = (desk.cohort / case / f"{name}.nii.gz" for name in ("flair", "t1"))
        rows.append(",".join([case, f"p{max(n, 1)}", *map(str, images)]))  # the first two are one
    manifest = desk.folder / "cases.csv"
    manifest.write_text("\n".join(rows) + "\n", encoding="utf-8")
    words = ("export", manifest, "--nnunet", desk.output)
    desk.label(*CASES[:4])
    assert desk.run(*words) == 0
    assert not (desk.output / "splits_final.json").exists()  # three patients: folds are empty
    desk.label(*CASES[4:6])
    assert desk.run(*words) == 0
    first = described(desk, "splits_final.json")
    assert len(first) == 5
    for split in first:
        assert sorted(split["train"] + split["val"]) == CASES[:6]
        assert ("pat1" in split["val"]) == ("pat2" in split["val"])
    desk.label(CASES[6])
    assert desk.run(*words) == 0
    for old, new in zip(first, described(desk, "splits_final.json"), strict=True):
        assert set(old["val"]) <= set(new["val"])


def test_folds_do_not_depend_on_the_order_and_share_the_cases() -> None:
    patients = {f"c{n}": f"p{n // 2}" for n in range(20)}
    folds = dealt_folds(patients, {})
    assert dealt_folds(dict(reversed(patients.items())), {}) == folds
    assert sorted(np.bincount(list(folds.values()))) == [4] * 5
    found = splits(folds)
    assert found is not None
    assert sorted(case for split in found for case in split["val"]) == sorted(patients)


def test_several_grids_are_refused_and_nothing_is_written(desk: Desk, capsys) -> None:
    desk.label("pat1")
    save_nifti(desk.cohort / "pat1" / "t1.nii.gz", np.ones((12, 24, 24), np.float32))
    assert export(desk) == 2
    text = capsys.readouterr().err
    assert "--resample" in text
    assert "pat1" in text
    assert not desk.output.exists()


def test_resampling_on_request_is_said(desk: Desk, capsys) -> None:
    desk.label("pat1")
    wide = AFFINE @ np.diag([2.0, 1, 1, 1])
    save_nifti(desk.cohort / "pat1" / "t1.nii.gz", np.ones((12, 24, 24), np.float32), affine=wide)
    assert export(desk, "--resample") == 0
    assert re.search(r"Resampled .* 1 case,\s+pat1", capsys.readouterr().err)
    grids = [read_grid(ImageFile(desk.output / "imagesTr" / f"pat1_000{n}.nii.gz")) for n in (0, 1)]
    assert grids[0] == grids[1]


def test_a_case_without_a_channel_is_left_out_and_named(desk: Desk, capsys) -> None:
    desk.label("pat1", "pat2")
    (desk.cohort / "pat2" / "t1.nii.gz").unlink()
    assert export(desk) == 0
    assert files(desk, "labelsTr") == ["pat1.nii.gz"]
    assert re.search(r"pat2 is left out: nnU-Net needs all of\s+FLAIR, T1", capsys.readouterr().err)


def test_an_image_that_cannot_be_read_leaves_no_label_behind(desk: Desk, capsys) -> None:
    desk.label("pat1", "pat2")
    image = voxels(desk.cohort / "pat2" / "t1.nii.gz").copy()
    image[10:14, 10:14, 10:14] = np.nan
    save_nifti(desk.cohort / "pat2" / "t1.nii.gz", image.astype(np.float32))
    assert export(desk) == 0
    assert files(desk, "labelsTr") == ["pat1.nii.gz"]
    assert not [name for name in files(desk, "imagesTr") if "pat2" in name]
    assert "pat2 is left out" in capsys.readouterr().err


def test_a_cut_out_of_slicer_is_completed(desk: Desk) -> None:
    truth = read_volume(ImageFile(desk.folder / "truth" / "pat4.nii.gz"))
    k, j, i = (slice(v.min(), v.max() + 1) for v in np.nonzero(truth.array))
    part = truth.array[k, j, i]
    grid = truth.grid
    start = grid.index_to_lps @ [i.start, j.start, k.start, 1]
    small = type(grid)(part.shape[::-1], grid.spacing_mm, tuple(start[:3]), grid.direction)
    names = [("enhancing", 1, 0), ("core", 2, 0), ("edema", 3, 0)]
    coded = np.select([part == 4, part == 1, part == 2], [1, 2, 3])
    save_segments(desk.folder / "record" / "labels" / "pat4.seg.nrrd", [coded], names, small)
    assert desk.run("export", desk.cohort, "--nnunet", desk.output, with_labels=False) == 0
    label = voxels(desk.output / "labelsTr" / "pat4.nii.gz").transpose(2, 1, 0)
    expected = np.select([truth.array == 1, truth.array == 2, truth.array == 4], [1, 2, 3])
    assert np.array_equal(label, expected)


@pytest.mark.parametrize("what", ["channels", "labels"])
def test_another_task_is_refused(desk: Desk, what: str, capsys) -> None:
    desk.label("pat1")
    assert export(desk) == 0
    before = folder_state(desk.output)
    task = desk.folder / "task.json"
    old, new = {
        "channels": ('"FLAIR": "MR", "T1": "MR"', '"T1": "MR", "FLAIR": "MR"'),
        "labels": ('"edema"', '"oedema zone"'),
    }[what]
    task.write_text(task.read_text().replace(old, new))
    assert export(desk) == 2
    assert "earlier export" in capsys.readouterr().err
    assert folder_state(desk.output) == before


def test_a_folder_of_others_and_a_wrong_name_are_refused(desk: Desk, capsys) -> None:
    desk.label("pat1")
    assert desk.run("export", desk.cohort, "--nnunet", desk.folder / "plain") == 2
    assert "Dataset123_Name" in capsys.readouterr().err
    desk.output.mkdir(parents=True)
    (desk.output / "dataset.json").write_text("{}")
    assert export(desk) == 2
    assert "was left as it is" in capsys.readouterr().err
    assert sorted(path.name for path in desk.output.iterdir()) == ["dataset.json"]


def test_a_killed_export_is_completed(desk: Desk) -> None:
    desk.label("pat1", "pat2")
    assert export(desk) == 0
    complete = folder_state(desk.output)
    marker = desk.output / "crossmodal-export.json"
    content = json.loads(marker.read_text())
    content["content"]["cases"] = {}
    content["content"]["round"] = 0
    for name in [name for name in content["files"] if "pat2" in name]:
        del content["files"][name]  # written, but not noted yet
    marker.write_text(json.dumps(content))
    assert export(desk) == 0
    assert folder_state(desk.output) == complete


def test_only_labels_of_a_selection_are_exported(desk: Desk) -> None:
    from MultimodalImagingLib.record.selection_file import write_selection_content

    desk.label("pat1", "pat2", "pat3")
    run = desk.folder / "run"
    run.mkdir()
    ranked = [
        ("pat2", True, False),
        ("pat5", True, False),
        ("pat3", False, True),
        ("pat1", False, False),
    ]
    cases = [
        {"rank": n, "case": case, "suggested": suggested, "labelled": labelled}
        for n, (case, suggested, labelled) in enumerate(ranked, start=1)
    ]
    write_selection_content(run, {"cases": cases})
    assert export(desk, "--suggested-by", run) == 0
    assert files(desk, "labelsTr") == ["pat2.nii.gz", "pat3.nii.gz"]
    assert "pat1_0000.nii.gz" in files(desk, "imagesTs")
    table = desk.folder / "cases.csv"
    assert desk.run("export", desk.cohort, "--csv", table, "--suggested-by", run) == 0
    with table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["uid"] for row in rows[:3]] == ["pat2", "pat5", "pat1"]
    assert [row["suggested"] for row in rows[:3]] == ["1", "2", ""]
