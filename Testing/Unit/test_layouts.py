from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from MultimodalImagingLib.cohorts.cases import Cohort
from MultimodalImagingLib.cohorts.cohort import find_cohort
from MultimodalImagingLib.errors import CohortError
from MultimodalImagingLib.images.volume_io import read_volume


def image(path: Path, value: float = 1.0, *, n_images: int = 1) -> Path:
    """Write an 8 x 9 x 10 mm image; image number n of a 4-D one has the value `value + n`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    volumes = [
        sitk.GetImageFromArray(np.full((10, 9, 8), value + n, np.float32)) for n in range(n_images)
    ]
    sitk.WriteImage(volumes[0] if n_images == 1 else sitk.JoinSeries(volumes), str(path))
    return path


def dataset_json(root: Path, **content: object) -> None:
    root.mkdir(parents=True, exist_ok=True)
    (root / "dataset.json").write_text(json.dumps(content), encoding="utf-8")


def found(cohort: Cohort) -> dict[str, dict[str, str]]:
    """File per case and modality (and `label`), relative to the cohort."""
    return {
        case.case_id: {
            name: file.path.relative_to(cohort.root).as_posix()
            for name, file in [*case.images.items(), ("label", case.label)]
            if file is not None
        }
        for case in cohort.cases
    }


def messages(cohort: Cohort) -> list[str]:
    return [str(problem) for problem in cohort.problems]


# Folder per case


def test_a_folder_per_case_with_names_after_the_case(tmp_path: Path) -> None:
    root = tmp_path / "Köln µ"
    for case in ("BraTS-GLI-00002-000", "BraTS-GLI-00001-001", "BraTS-GLI-00001-000"):
        for name in ("t1n", "t1c", "t2f", "t2w", "seg"):
            image(root / case / f"{case}-{name}.nii.gz")
    cohort = find_cohort(root)
    assert cohort.layout == "folder per case"
    assert cohort.modalities == ("FLAIR", "T1", "T1c", "T2")
    assert [case.case_id for case in cohort.cases] == [
        "BraTS-GLI-00001-000",
        "BraTS-GLI-00001-001",
        "BraTS-GLI-00002-000",
    ]
    assert [case.patient_id for case in cohort.cases] == [
        "BraTS-GLI-00001",
        "BraTS-GLI-00001",
        "BraTS-GLI-00002",
    ]
    prefix = "BraTS-GLI-00001-000/BraTS-GLI-00001-000-"
    assert found(cohort)["BraTS-GLI-00001-000"] == {
        "FLAIR": f"{prefix}t2f.nii.gz",
        "T1": f"{prefix}t1n.nii.gz",
        "T1c": f"{prefix}t1c.nii.gz",
        "T2": f"{prefix}t2w.nii.gz",
        "label": f"{prefix}seg.nii.gz",
    }
    assert cohort.problems == ()


@pytest.mark.parametrize("suffix", [".nii", ".nrrd", ".nhdr", ".mha", ".mhd", ".NII.GZ"])
def test_every_image_format_is_found(tmp_path: Path, suffix: str) -> None:
    for case in ("a", "b"):
        written = image(tmp_path / case / "CT.nii.gz")
        if suffix == ".NII.GZ":
            written.rename(written.with_name(f"CT{suffix}"))
        else:
            image(tmp_path / case / f"CT{suffix}")
            written.unlink()
    cohort = find_cohort(tmp_path)
    assert found(cohort) == {"a": {"CT": f"a/CT{suffix}"}, "b": {"CT": f"b/CT{suffix}"}}


def test_names_of_cases_are_no_modalities(tmp_path: Path) -> None:
    for case in ("PET-CT-1", "PET-CT-2"):
        image(tmp_path / case / f"{case}_t1.nii.gz")
    assert find_cohort(tmp_path).modalities == ("T1",)


def test_hidden_files_and_folders_and_other_files_do_not_disturb(tmp_path: Path) -> None:
    for case in ("a", "b", ".crossmodal"):
        image(tmp_path / case / "ct.nii.gz")
        image(tmp_path / case / ".unfinished-12-ct.nii.gz")
        (tmp_path / case / "notes.txt").write_text("x")
    (tmp_path / "cases.csv").write_text("case,ct_src,ct_size\na,nifti,8x9x10\n")
    (tmp_path / "docs").mkdir()
    cohort = find_cohort(tmp_path)
    assert sorted(found(cohort)) == ["a", "b"]
    assert messages(cohort) == [
        "The folder docs holds no image and is not taken for a case. Add its images, or leave it"
        " if it is something else."
    ]
    assert cohort.problems[0].severity == "warning"


def test_symbolic_links_to_cases_and_files_are_followed(tmp_path: Path) -> None:
    store, root = tmp_path / "store", tmp_path / "cohort"
    image(store / "x" / "ct.nii.gz")
    image(store / "loose.nii.gz")
    (root / "b").mkdir(parents=True)
    (root / "a").symlink_to(store / "x")
    (root / "b" / "ct.nii.gz").symlink_to(store / "loose.nii.gz")
    assert sorted(found(find_cohort(root))) == ["a", "b"]


def test_the_order_in_which_the_system_lists_files_does_not_matter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for case in ("c10", "c9", "C1", "b"):
        for name in ("ct", "pet", "seg", "seg_pet", "other"):
            image(tmp_path / case / f"{name}.nii.gz")
    expected = find_cohort(tmp_path)
    original = Path.iterdir
    for seed in range(3):
        generator = random.Random(seed)

        def shuffled(path: Path, generator: random.Random = generator) -> object:
            items = list(original(path))
            generator.shuffle(items)
            return iter(items)

        monkeypatch.setattr(Path, "iterdir", shuffled)
        assert find_cohort(tmp_path) == expected


# nnU-Net


def nnunet(root: Path, **channels: str) -> Path:
    numbered = {str(n): name for n, name in enumerate(channels.values())}
    dataset_json(root, channel_names=numbered, labels={"background": 0}, file_ending=".nii.gz")
    for case in ("BRATS_001", "BRATS_002"):
        for number in range(len(channels)):
            image(root / "imagesTr" / f"{case}_{number:04d}.nii.gz")
        image(root / "labelsTr" / f"{case}.nii.gz")
    image(root / "imagesTs" / "BRATS_003_0000.nii.gz")
    return root


def test_an_nnunet_dataset_takes_its_modalities_from_its_description(tmp_path: Path) -> None:
    cohort = find_cohort(nnunet(tmp_path, a="FLAIR", b="T1w", c="T1Gd", d="T2w"))
    assert cohort.layout == "nnU-Net"
    assert cohort.modalities == ("FLAIR", "T1", "T1c", "T2")
    assert found(cohort)["BRATS_002"] == {
        "FLAIR": "imagesTr/BRATS_002_0000.nii.gz",
        "T1": "imagesTr/BRATS_002_0001.nii.gz",
        "T1c": "imagesTr/BRATS_002_0002.nii.gz",
        "T2": "imagesTr/BRATS_002_0003.nii.gz",
        "label": "labelsTr/BRATS_002.nii.gz",
    }
    assert found(cohort)["BRATS_003"] == {"FLAIR": "imagesTs/BRATS_003_0000.nii.gz"}
    assert cohort.incomplete == {"BRATS_003": ("T1", "T1c", "T2")}
    assert cohort.problems == ()


def test_the_order_of_the_channels_is_the_order_of_the_modalities(tmp_path: Path) -> None:
    assert find_cohort(nnunet(tmp_path, a="T2", b="ADC", c="CT")).modalities == ("T2", "ADC", "CT")


def test_channel_names_that_are_unknown_or_repeat_stay_distinct(tmp_path: Path) -> None:
    cohort = find_cohort(nnunet(tmp_path / "a", a="zscore", b="noNorm"))
    assert cohort.modalities == ("zscore", "noNorm")
    cohort = find_cohort(nnunet(tmp_path / "b", a="MRI", b="MRI"))
    assert cohort.modalities == ("MRI_0000", "MRI_0001")
    cohort = find_cohort(nnunet(tmp_path / "c", a="T1", b="T1w"))
    assert cohort.modalities == ("T1", "T1w")


def test_files_of_unknown_channels_and_labels_without_images_are_named(tmp_path: Path) -> None:
    root = nnunet(tmp_path, a="CT", b="PET")
    image(root / "imagesTr" / "BRATS_001_0007.nii.gz")
    image(root / "imagesTr" / "scan.nii.gz")
    image(root / "labelsTr" / "BRATS_009.nii.gz")
    image(root / "imagesTs" / "BRATS_001_0000.nii.gz")
    texts = messages(find_cohort(root))
    assert len(texts) == 4
    assert "imagesTr/BRATS_001_0007.nii.gz to end with one of _0000, _0001" in texts[0]
    assert "imagesTr/scan.nii.gz to end with one of" in texts[1]
    assert texts[2].startswith("Case BRATS_001: Expected every case once, found it again as images")
    assert "labelsTr/BRATS_009.nii.gz has no image in imagesTr" in texts[3]


def test_an_older_nnunet_dataset_is_known_by_its_file_names(tmp_path: Path) -> None:
    root = nnunet(tmp_path, a="CT", b="PET")
    dataset_json(root, modality={"0": "CT", "1": "PET"}, numTraining=2)
    assert find_cohort(root).layout == "nnU-Net"


def test_an_nnunet_dataset_of_pictures_is_refused(tmp_path: Path) -> None:
    (tmp_path / "imagesTr").mkdir()
    dataset_json(tmp_path, channel_names={"0": "R"}, file_ending=".png")
    with pytest.raises(CohortError, match=r"found the file ending '\.png'"):
        find_cohort(tmp_path)


@pytest.mark.parametrize(
    "content", ["{", "[]", "{}", '{"channel_names": {"a": "CT"}}', '{"channel_names": {}}']
)
def test_a_damaged_description_is_refused(tmp_path: Path, content: str) -> None:
    image(tmp_path / "imagesTr" / "a_0000.nii.gz")
    (tmp_path / "dataset.json").write_text(content)
    with pytest.raises(CohortError, match=r"Expected .* in .*dataset\.json.*Correct it"):
        find_cohort(tmp_path)


# Decathlon


def decathlon(root: Path) -> Path:
    dataset_json(root, modality={"0": "FLAIR", "1": "T1w", "2": "t1gd"}, tensorImageSize="4D")
    for case in ("BRATS_001", "BRATS_002"):
        image(root / "imagesTr" / f"{case}.nii.gz", n_images=3)
        image(root / "imagesTr" / f"._{case}.nii.gz")
        image(root / "labelsTr" / f"{case}.nii.gz")
    image(root / "imagesTs" / "BRATS_003.nii.gz", n_images=3)
    return root


def test_a_decathlon_dataset_gives_one_image_per_modality_of_a_4d_file(tmp_path: Path) -> None:
    cohort = find_cohort(decathlon(tmp_path))
    assert cohort.layout == "Medical Segmentation Decathlon"
    assert cohort.modalities == ("FLAIR", "T1", "T1c")
    assert [case.case_id for case in cohort.cases] == ["BRATS_001", "BRATS_002", "BRATS_003"]
    assert [case.label is None for case in cohort.cases] == [False, False, True]
    for case in cohort.cases:
        assert [read_volume(file).array.max() for file in case.images.values()] == [1, 2, 3]
    assert cohort.problems == ()


def test_a_decathlon_dataset_of_one_modality_has_3d_files(tmp_path: Path) -> None:
    dataset_json(tmp_path, modality={"0": "CT"})
    for case in ("liver_0", "liver_1"):
        image(tmp_path / "imagesTr" / f"{case}.nii.gz")
    cohort = find_cohort(tmp_path)
    assert cohort.modalities == ("CT",)
    assert [case.images["CT"].component for case in cohort.cases] == [None, None]


def test_a_file_with_another_number_of_images_than_described_is_named(tmp_path: Path) -> None:
    root = decathlon(tmp_path)
    image(root / "imagesTr" / "BRATS_002.nii.gz", n_images=2)
    (root / "imagesTr" / "BRATS_001.nii.gz").write_bytes(b"")
    texts = messages(find_cohort(root))
    assert texts[0].startswith("Case BRATS_001: Expected one 3-D image in BRATS_001.nii.gz, found")
    assert texts[1].startswith("Case BRATS_002: Expected 3 images (FLAIR, T1w, t1gd, by dataset")
    assert "Case BRATS_001: Expected at least one readable image" in texts[2]


# BIDS


def test_a_bids_dataset_has_a_case_per_subject_and_session(tmp_path: Path) -> None:
    for session in ("ses-1", "ses-2"):
        stem = f"sub-01_{session}"
        folder = tmp_path / "sub-01" / session
        image(folder / "anat" / f"{stem}_T1w.nii.gz")
        image(folder / "anat" / f"{stem}_ce-gadolinium_run-1_T1w.nii.gz")
        image(folder / "anat" / f"{stem}_FLAIR.nii.gz")
        image(folder / "pet" / f"{stem}_trc-18FFDG_pet.nii.gz")
        image(folder / "func" / f"{stem}_task-rest_bold.nii.gz", n_images=3)
        (folder / "anat" / f"{stem}_T1w.json").write_text("{}")
    image(tmp_path / "sub-02" / "anat" / "sub-02_T1w.nii.gz")
    derived = tmp_path / "derivatives" / "lesions" / "sub-01" / "ses-2" / "anat"
    image(derived / "sub-01_ses-2_label-lesion_mask.nii.gz")
    image(derived / "sub-01_ses-2_desc-brain_mask.nii.gz")
    image(derived / "sub-01_ses-2_desc-preproc_T1w.nii.gz")
    (tmp_path / "dataset_description.json").write_text("{}")
    cohort = find_cohort(tmp_path)
    assert cohort.layout == "BIDS"
    assert cohort.modalities == ("FLAIR", "PET", "T1", "T1c")
    assert [case.patient_id for case in cohort.cases] == ["sub-01", "sub-01", "sub-02"]
    assert found(cohort)["sub-01_ses-2"] == {
        "FLAIR": "sub-01/ses-2/anat/sub-01_ses-2_FLAIR.nii.gz",
        "PET": "sub-01/ses-2/pet/sub-01_ses-2_trc-18FFDG_pet.nii.gz",
        "T1": "sub-01/ses-2/anat/sub-01_ses-2_T1w.nii.gz",
        "T1c": "sub-01/ses-2/anat/sub-01_ses-2_ce-gadolinium_run-1_T1w.nii.gz",
        "label": "derivatives/lesions/sub-01/ses-2/anat/sub-01_ses-2_label-lesion_mask.nii.gz",
    }
    assert found(cohort)["sub-02"] == {"T1": "sub-02/anat/sub-02_T1w.nii.gz"}
    assert cohort.problems == ()


# CSV manifest


def manifest(root: Path, text: str, *, encoding: str = "utf-8") -> Path:
    for case in ("a", "b", "ä"):
        for name in ("t1gd", "ct", "gtv"):
            image(root / "images" / f"{case}_{name}.nii.gz")
    path = root / "cohort.csv"
    path.write_text(text, encoding=encoding)
    return path


TEXT = """case,patient,t1gd,CT,label,score,site
b,P1,images/b_t1gd.nii.gz,images/b_ct.nii.gz,images/b_gtv.nii.gz,0.5,Köln
a,P1,images/a_t1gd.nii.gz,,,0.25,

ä,,images/ä_t1gd.nii.gz,images/ä_ct.nii.gz,,,
"""


@pytest.mark.parametrize("as_folder", [True, False])
def test_a_manifest_names_files_patients_labels_and_attributes(
    tmp_path: Path, as_folder: bool
) -> None:
    path = manifest(tmp_path, TEXT)
    cohort = find_cohort(tmp_path if as_folder else path)
    assert cohort.layout == "CSV manifest"
    assert cohort.root == tmp_path
    assert cohort.modalities == ("T1c", "CT")
    assert [case.case_id for case in cohort.cases] == ["a", "b", "ä"]
    assert [case.patient_id for case in cohort.cases] == ["P1", "P1", "ä"]
    assert [case.label is not None for case in cohort.cases] == [False, True, False]
    assert cohort.cases[1].attributes == {"score": "0.5", "site": "Köln"}
    assert cohort.incomplete == {"a": ("CT",)}
    assert cohort.problems == ()


@pytest.mark.parametrize(("delimiter", "encoding"), [(";", "utf-8-sig"), ("\t", "utf-8")])
def test_what_spreadsheets_save_is_read(tmp_path: Path, delimiter: str, encoding: str) -> None:
    path = manifest(tmp_path, TEXT.replace(",", delimiter).replace("\n", "\r\n"), encoding=encoding)
    assert len(find_cohort(path).cases) == 3


def test_faults_in_a_manifest_are_all_named(tmp_path: Path) -> None:
    rows = [
        "case,ct,mask",
        "a,images/a_ct.nii.gz,images/a_gtv.nii.gz",
        ",images/b_ct.nii.gz,",
        "b,images/b_ct.nii.gz,",
        "b,images/b_ct.nii.gz,",
        "c,images/absent.nii.gz,",
        "../d,images/b_ct.nii.gz,",
        "e",
    ]
    cohort = find_cohort(manifest(tmp_path, "\n".join(rows)))
    assert list(found(cohort)) == ["a"]
    assert cohort.cases[0].label is not None  # the column `mask` fits the label pattern
    texts = messages(cohort)
    assert texts[0].startswith("Expected a case in row 3 of cohort.csv, found an empty cell")
    assert texts[1].startswith("Case b: Expected every case once, found 2 of this name")
    assert texts[2].startswith("Case ../d: Expected a case name that can be the name of a file")
    assert "absent.nii.gz, found a file that cannot be opened (No such file" in texts[3]
    assert texts[4].startswith("Case c: Expected at least one readable image")
    assert texts[5].startswith("Case e: Expected at least one readable image")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("patient,ct\na,images/a_ct.nii.gz\n", "Expected the column `case`"),
        ("case,ct\na,yes\n", "a column of image files per modality .* found case, ct"),
        ("", "found no columns"),
        ("case,ct,CT\na,images/a_ct.nii.gz,x\n", "Expected every column .* once"),
    ],
)
def test_a_table_that_is_no_manifest_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(CohortError, match=message):
        find_cohort(manifest(tmp_path, text))


def test_a_manifest_in_another_encoding_is_refused(tmp_path: Path) -> None:
    path = manifest(tmp_path, TEXT, encoding="latin-1")
    with pytest.raises(CohortError, match="cannot be read as UTF-8 text"):
        find_cohort(path)


# Which layout


def test_a_folder_of_cases_wins_over_a_manifest_in_it_and_says_so(tmp_path: Path) -> None:
    image(tmp_path / "a" / "ct.nii.gz")
    image(tmp_path / "b" / "ct.nii.gz")
    path = tmp_path / "list.csv"
    path.write_text("case,CT\nx,a/ct.nii.gz\ny,b/ct.nii.gz\n")
    cohort = find_cohort(tmp_path)
    assert sorted(found(cohort)) == ["a", "b"]
    assert [p.severity for p in cohort.problems] == ["info"]
    assert "The manifest list.csv also lists cases; it is not used" in messages(cohort)[0]
    assert sorted(found(find_cohort(path))) == ["x", "y"]


def test_two_layouts_in_one_folder_are_refused_with_what_was_found(tmp_path: Path) -> None:
    nnunet(tmp_path, a="CT", b="PET")
    image(tmp_path / "sub-01" / "anat" / "sub-01_T1w.nii.gz")
    with pytest.raises(CohortError, match=r"looks like 2: `dataset.json` .*; and BIDS folders"):
        find_cohort(tmp_path)


def test_two_manifests_are_refused(tmp_path: Path) -> None:
    image(tmp_path / "x" / "y" / "ct.nii.gz")
    for name in ("one.csv", "two.csv"):
        (tmp_path / name).write_text("case,ct\na,x/y/ct.nii.gz\n")
    with pytest.raises(CohortError, match=r"manifest one\.csv; and the manifest two\.csv"):
        find_cohort(tmp_path)


def test_an_empty_folder_is_refused_in_short_and_all_that_is_understood_is_in_the_details(
    tmp_path: Path,
) -> None:
    with pytest.raises(CohortError) as raised:
        find_cohort(tmp_path)
    assert str(raised.value) == (
        f"Expected a cohort in {tmp_path}, found none. There is no image in it. Give a folder that"
        " holds a folder of images (.nii.gz, .nii, .nrrd, .nhdr, .mha, .mhd) for every case."
    )
    for word in ("imagesTr/<case>_0000", "4-D images", "sub-*", "one per case", "column `case`"):
        assert word in raised.value.details


def test_the_refusal_says_what_is_there_instead(tmp_path: Path) -> None:
    image(tmp_path / "one" / "ct.nii.gz")
    with pytest.raises(CohortError, match="give the folder above if this is one case"):
        find_cohort(tmp_path / "one")
    image(tmp_path / "parts" / "CT" / "1.nii.gz")
    image(tmp_path / "parts" / "PET" / "1.nii.gz")
    with pytest.raises(CohortError, match="look like parts of one case: give the folder above"):
        find_cohort(tmp_path / "parts")
    image(tmp_path / "unknown" / "batch" / "0001.nii.gz")
    image(tmp_path / "unknown" / "batch" / "0002.nii.gz")
    image(tmp_path / "unknown" / "batch" / "0003.nii.gz")
    with pytest.raises(CohortError, match=r"There are images in batch, but their names give no"):
        find_cohort(tmp_path / "unknown")
    (tmp_path / "dicom" / "series").mkdir(parents=True)
    (tmp_path / "dicom" / "series" / "IM1").write_bytes(bytes(128) + b"DICM" + bytes(99))
    with pytest.raises(CohortError, match=r"1 file is no DICOM or cannot be read, and not used"):
        find_cohort(tmp_path / "dicom")


def test_a_path_that_is_no_cohort_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CohortError, match="there is no such folder"):
        find_cohort(tmp_path / "absent")
    with pytest.raises(CohortError, match=r"found the file .*ct\.nii\.gz"):
        find_cohort(image(tmp_path / "ct.nii.gz"))
