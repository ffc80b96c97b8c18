from __future__ import annotations

import json
import shutil
from pathlib import Path

import nibabel
import numpy as np
import pytest
from exports import Desk, make_desk
from phantoms import save_nifti

CASES = ("a1", "b2", "c3")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_desk(tmp_path_factory.mktemp("exports") / "desk", CASES).folder


@pytest.fixture
def desk(template: Path, tmp_path: Path) -> Desk:
    return Desk(Path(shutil.copytree(template, tmp_path / "desk")))


@pytest.fixture
def store(desk: Desk) -> Path:
    return desk.folder / "store"


def export(desk: Desk, *words: object) -> int:
    return desk.run("export", desk.cohort, "--monai-label", desk.folder / "store", *words)


def listed(store: Path):
    return json.loads((store / "datastore_v2.json").read_text(encoding="utf-8"))


def voxels(path: Path) -> np.ndarray:
    return np.asarray(nibabel.load(path).dataobj)


def test_a_datastore_has_images_final_labels_and_the_list(desk: Desk, store: Path) -> None:
    desk.label("b2")
    assert export(desk) == 0
    assert sorted(path.name for path in store.glob("*.nii.gz")) == [f"{c}.nii.gz" for c in CASES]
    assert [path.name for path in (store / "labels" / "final").iterdir()] == ["b2.nii.gz"]
    assert (store / "labels" / "original").is_dir()
    content = listed(store)
    assert (content["images_dir"], content["labels_dir"]) == (".", "labels")
    assert sorted(content["objects"]) == list(CASES)
    for name, entry in content["objects"].items():
        assert entry["image"]["ext"] == ".nii.gz"
        assert list(entry["labels"]) == (["final"] if name == "b2" else [])
    label = content["objects"]["b2"]["labels"]["final"]
    assert label["ext"] == ".nii.gz"
    assert {"name": "enhancing", "idx": 4} in label["info"]["label_info"]
    original = desk.cohort / "b2" / "flair.nii.gz"
    assert np.array_equal(voxels(store / "b2.nii.gz"), voxels(original))
    truth = voxels(desk.labels / "b2.nii.gz")
    assert np.array_equal(voxels(store / "labels" / "final" / "b2.nii.gz"), truth)


def test_work_of_monai_label_stays(desk: Desk, store: Path, capsys) -> None:
    desk.label("a1")
    assert export(desk) == 0
    corrected = store / "labels" / "final" / "a1.nii.gz"
    made_there = store / "labels" / "final" / "b2.nii.gz"
    for path in (corrected, made_there):
        save_nifti(path, np.full((24, 24, 24), 2, np.uint8))
    content = listed(store)
    content["objects"]["a1"]["labels"]["final"]["info"]["annotator"] = "somebody"
    content["objects"]["b2"]["labels"]["final"] = {"ext": ".nii.gz", "info": {"ts": 7}}
    (store / "datastore_v2.json").write_text(json.dumps(content))
    before = [path.read_bytes() for path in (corrected, made_there)]
    desk.label("b2", "c3")
    save_nifti(desk.labels / "a1.nii.gz", np.ones((24, 24, 24), np.uint8))
    assert export(desk) == 0
    assert [path.read_bytes() for path in (corrected, made_there)] == before
    text = capsys.readouterr().err
    assert all(f"labels/final/{name}.nii.gz" in text for name in ("a1", "b2"))
    after = listed(store)["objects"]
    assert after["a1"]["labels"]["final"]["info"]["annotator"] == "somebody"
    assert after["b2"]["labels"]["final"] == {"ext": ".nii.gz", "info": {"ts": 7}}
    assert list(after["c3"]["labels"]) == ["final"]


def test_a_label_on_another_grid_is_left_out_unless_resampling_is_asked_for(
    desk: Desk, store: Path, capsys
) -> None:
    desk.labels.mkdir()
    coarse = voxels(desk.folder / "truth" / "a1.nii.gz")[::2, ::2, ::2]
    affine = nibabel.load(desk.folder / "truth" / "a1.nii.gz").affine @ np.diag([2.0, 2, 2, 1])
    save_nifti(desk.labels / "a1.nii.gz", coarse, affine=affine)
    assert export(desk) == 0
    assert "a1 is left out: The label map does not lie on the grid of FLAIR" in " ".join(
        capsys.readouterr().err.split()
    )
    assert not list((store / "labels" / "final").iterdir())
    assert export(desk, "--resample") == 0
    assert "Resampled" in capsys.readouterr().err
    label = voxels(store / "labels" / "final" / "a1.nii.gz")
    assert label.shape == (24, 24, 24)
    assert np.array_equal(label[::2, ::2, ::2][:-1, :-1, :-1], coarse[:-1, :-1, :-1])


def test_a_list_of_another_form_is_refused(desk: Desk, store: Path, capsys) -> None:
    desk.label("a1")
    assert export(desk) == 0
    (store / "datastore_v2.json").write_text('{"images_dir": "elsewhere", "objects": {}}')
    assert export(desk) == 2
    assert "another form" in " ".join(capsys.readouterr().err.split())
