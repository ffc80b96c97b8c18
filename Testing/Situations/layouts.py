"""Folders as data sets, hospitals and systems leave them: which cases and labels are found."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np
from phantoms import phantom, plain_cohort, save_case, save_itk, save_nifti
from situation import Situation

LAYOUTS, LABELS = "layouts", "labels found"
INSPECT = ("mdal-selector", "inspect", "{folder}", "--json")
SHOWN = ("mdal-selector", "inspect", "{folder}")
BRATS = {"T1": "t1.nii.gz", "T1c": "t1ce.nii.gz", "FLAIR": "flair.nii.gz"}
TWO = {"T1": "t1.nii.gz", "FLAIR": "flair.nii.gz"}
PETCT = {"CT": "CT.nii.gz", "PET": "PET.nii.gz"}
Check = Callable[[Path, Path, str], None]


def finds(
    *,
    n_cases: int,
    n_labels: int = 0,
    n_patients: int | None = None,
    files: str = "",
    case: str = "",
) -> Check:
    """Check the numbers that `inspect --json` prints, a case's name, and a part of its label."""

    def check(_folder: Path, _out: Path, output: str) -> None:
        report = json.loads(output[output.index("{") : output.rindex("}") + 1])
        names = [entry["case"] for entry in report["cases"]]
        assert report["n_cases"] == n_cases, names
        assert report["n_labels"] == n_labels
        assert n_patients is None or report["n_patients"] == n_patients
        assert report["naming"]
        assert not case or case in names, names
        assert all(files in entry["label"] for entry in report["cases"] if entry["label"])

    return check


def cases(
    folder: Path, names: Mapping[str, str], *places: str, label: str | None = "seg.nii.gz"
) -> None:
    for seed, place in enumerate(places):
        save_case(folder / place, seed, names, label=label)


def binary(path: Path, seed: int) -> None:
    save_nifti(path, (phantom(seed, kinds=())[1] > 0).astype(np.uint8))


def grades(folder: Path, *, above: tuple[str, str] = ("HGG", "LGG")) -> None:
    for seed in range(6):
        name = f"Brats18_A{seed:02d}_1"
        names = {kind: f"{name}_{file}" for kind, file in BRATS.items()}
        save_case(folder / above[seed % 2] / name, seed, names, label=f"{name}_seg.nii.gz")
    (folder / "survival.csv").write_text("ID,Age\nx,60\n")


def patient_study(folder: Path, *, studies: tuple[str, ...]) -> None:
    for patient in range(4):
        for number, study in enumerate(studies):
            where = folder / f"PETCT_{patient:06x}" / study.format(patient=patient)
            save_case(where, 9 * patient + number, PETCT, label="SEG.nii.gz")


def parts(folder: Path, *, names: Mapping[str, str], label: str | None) -> None:
    for seed in range(4):
        save_case(folder / f"case{seed}", seed, names, label=label)


def flat(
    folder: Path, *, form: str, label: str | None, kinds: tuple[str, ...] = ("CT", "PET")
) -> None:
    """Write all cases into one folder; `form` has case and kind."""
    for seed in range(5):
        images, values = phantom(seed, kinds=kinds)
        for kind, image in images.items():
            save_nifti(folder / form.format(case=f"P-{seed:03d}", kind=kind.lower()), image)
        if label is not None:
            save_nifti(folder / label.format(case=f"P-{seed:03d}"), values)


def dataset(
    folder: Path, *, image: str, label: str, names: str = "modality", n_channels: int = 1
) -> None:
    kinds = ("CT", "PET")[:n_channels]
    for seed in (1, 4, 10, 22):
        images, values = phantom(seed, kinds=kinds)
        for channel, kind in enumerate(kinds):
            save_nifti(folder / image.format(number=seed, channel=channel), images[kind])
        save_nifti(folder / label.format(number=seed), (values > 0).astype(np.uint8))
    content = {names: dict(enumerate(kinds)), "labels": {"background": 0, "organ": 1}}
    (folder / "dataset.json").write_text(json.dumps(content))


def bids(folder: Path, *, mask: str, second: str | None = None, session: str = "ses-0001") -> None:
    for seed in range(4):
        subject = f"sub-stroke{seed:04d}"
        stem = f"{subject}_{session}"
        where = folder / subject / session
        names = {"FLAIR": f"anat/{stem}_FLAIR.nii.gz", "ADC": f"dwi/{stem}_adc.nii.gz"}
        save_case(where, seed, names, label=None)
        for path in filter(None, (mask, second)):
            binary(folder / path.format(subject=subject, session=session, stem=stem), seed)


def raters(folder: Path, *, masks: tuple[str, ...]) -> None:
    for seed in range(4):
        case = folder / f"P{seed:02d}"
        save_case(case, seed, TWO, label=None)
        for mask in masks:
            binary(case / mask, seed)


def two_studies_in_a_folder(folder: Path) -> None:
    for patient, studies in ((10000, 1), (10001, 2), (10002, 1), (10003, 2)):
        for study in range(studies):
            images, _ = phantom(10 * patient + study, kinds=("T2", "ADC"))
            stem = f"{patient}_{1000000 + 10 * patient + study}"
            save_itk(folder / str(patient) / f"{stem}_t2w.mha", images["T2"])
            save_itk(folder / str(patient) / f"{stem}_adc.mha", images["ADC"])


def debris(folder: Path) -> None:
    plain_cohort(folder, n_cases=4, kinds=("T1", "FLAIR"))
    for name in (".DS_Store", "README.txt", "Thumbs.db", "desktop.ini", "Icon\r", "case00.zip"):
        (folder / name).write_bytes(b"x")
    for name in (
        "__MACOSX/case00",
        "@eaDir/case00",
        "lost+found",
        ".crossmodal/labels",
        "$RECYCLE.BIN",
    ):
        (folder / name).mkdir(parents=True)
        shutil.copy(folder / "case00" / "t1.nii.gz", folder / name / "t1.nii.gz")
    (folder / "case01" / "._t1.nii.gz").write_bytes(b"\0\5\x16\7" + bytes(100))
    (folder / "case02" / "@eaDir").mkdir()
    shutil.copy(folder / "case00" / "t1.nii.gz", folder / "case02" / "@eaDir" / "t1.nii.gz")


def loops(folder: Path) -> None:
    plain_cohort(folder, n_cases=3, kinds=("T1", "FLAIR"))
    (folder / "case00" / "loop").symlink_to("..")
    (folder / "case01" / "self").symlink_to(".")
    (folder / "case02" / "other").symlink_to("../case00")
    (folder / "up").symlink_to("..")


def links(folder: Path) -> None:
    store = folder.parent / f"{folder.name}-store"
    plain_cohort(store, n_cases=3, kinds=("T1", "FLAIR"))
    folder.mkdir(parents=True, exist_ok=True)
    for path in store.iterdir():
        (folder / f"linked_{path.name}").symlink_to(path)


def results_beside(folder: Path) -> None:
    plain_cohort(folder, n_cases=3, kinds=("T1", "FLAIR"))
    for place in ("results/case00", "results/case01", "case02_result"):
        binary(folder / place / "segmentation.nii.gz", 0)
        (folder / place / "segmentation.seg.nrrd").write_bytes(b"x")
        (folder / place / "result.json").write_text("{}")


def by_modality(folder: Path) -> None:
    for seed in range(4):
        images, values = phantom(seed, kinds=("T1", "T2"))
        for kind, image in images.items():
            save_nifti(
                folder / f"IXI-{kind}" / f"IXI{seed:03d}-Guys-{seed:04d}-{kind}.nii.gz", image
            )
        save_nifti(folder / "labels" / f"IXI{seed:03d}-Guys-{seed:04d}.nii.gz", values)


def labels_beside(folder: Path, *, place: str) -> None:
    for seed in range(4):
        save_case(folder / f"case{seed:02d}", seed, TWO, label=None)
        binary(folder / place.format(case=f"case{seed:02d}"), seed)


def two_folders_of_labels(folder: Path) -> None:
    labels_beside(folder, place="labels/{case}.nii.gz")
    labels_beside(folder, place="labels_v2/{case}.nii.gz")


def two_data_sets(folder: Path) -> None:
    for name in ("Dataset001_A", "Dataset002_B"):
        dataset(
            folder / name,
            image="imagesTr/c_{number:03d}_{channel:04d}.nii.gz",
            label="labelsTr/c_{number:03d}.nii.gz",
            names="channel_names",
        )


def images_and_labels_by_case(folder: Path) -> None:
    for seed in range(3):
        save_case(folder / "images" / f"c{seed}", seed, TWO, label=None)
        binary(folder / "labels" / f"c{seed}" / "seg.nii.gz", seed)


def folders_named_like_files(folder: Path) -> None:
    """Write what some archives unpack to: a folder per file, with the name of the file."""
    for seed in range(3):
        case = f"BraTS_{seed:03d}"
        names = {"T1": f"{case}_t1.nii/1998.nii", "FLAIR": f"{case}_flair.nii/1999.nii"}
        save_case(folder / case, seed, names, label=f"{case}_seg.nii/2000.nii")


def without_description(folder: Path) -> None:
    dataset(folder, image=CHANNELS, label=NIFTI_LABEL)
    (folder / "dataset.json").unlink()


def many_names_in_a_case(folder: Path) -> None:
    """Write what UCSF-PDGM has: a folder named a bit otherwise, words between case and modality."""
    for seed in range(3):
        case = f"UCSF-{seed:04d}"
        names = {"T1": f"{case}_T1.nii.gz", "ADC": f"{case}_DTI_eddy_ADC.nii.gz"}
        where = folder / f"{case}_nifti"
        save_case(where, seed, names, label=f"{case}_tumor_segmentation.nii.gz")
        for name in ("T1_bias", "DTI_eddy_noreg_ADC", "ASL", "DTI_eddy_MD"):
            binary(where / f"{case}_{name}.nii.gz", seed)
        binary(where / f"{case}_brain_segmentation.nii.gz", seed)


def seven_raters() -> tuple[str, ...]:
    return tuple(f"ManualSegmentation_{number}.nii.gz" for number in range(1, 8))


def mixed_depth(folder: Path) -> None:
    plain_cohort(folder, n_cases=2, kinds=("T1", "FLAIR"))
    cases(folder, TWO, "siteB/case07", "siteB/case08")
    (folder / "empty_case").mkdir()


def training_with_labels(folder: Path, *, place: str) -> None:
    for seed in range(4):
        save_case(folder / "cohort" / f"P{seed:02d}", seed, TWO, label=None)
        binary(folder / place.format(case=f"P{seed:02d}"), seed)


def _layout(
    name: str, build: Callable[[Path], object], check: Check, *, kind: str = LAYOUTS
) -> Situation:
    return Situation(name, kind, build, INSPECT, check=check)


def _train(name: str, place: str) -> Situation:
    """A training that has to find four labels; it is refused only after that, for its steps."""
    command = ("ciml-segmenter", "train", "{folder}/cohort", "--task", "single-target", "--primary")
    options = ("T1", "--labels", "{folder}/mine", "--output", "{out}/model", "--steps", "0")
    return Situation(
        name,
        LABELS,
        partial(training_with_labels, place=place),
        (*command, *options),
        exit_code=2,
        says=(r"4 of 4 cases have a label map", r"n_steps above 0"),
        silent_about=("Traceback",),
    )


NIFTI_IMAGE, NIFTI_LABEL = "imagesTr/amos_{number:04d}.nii.gz", "labelsTr/amos_{number:04d}.nii.gz"
CHANNELS = "imagesTr/amos_{number:04d}_{channel:04d}.nii.gz"

SITUATIONS = (
    _layout("plain-folders", partial(plain_cohort, n_cases=3), finds(n_cases=3, n_labels=3)),
    _layout(
        "grades-above-cases",
        grades,
        finds(n_cases=6, n_labels=6, n_patients=6, case="HGG_Brats18_A00_1"),
    ),
    _layout(
        "train-and-val-above-cases",
        partial(grades, above=("train", "val")),
        finds(n_cases=6, n_labels=6, n_patients=6, case="val_Brats18_A01_1"),
    ),
    _layout(
        "one-study-per-patient",
        partial(patient_study, studies=("06-02-2003-NA-Unspecified CT ABDOMEN-94113",)),
        finds(n_cases=4, n_labels=4, n_patients=4),
    ),
    _layout(
        "visits-below-patients",
        partial(patient_study, studies=("baseline", "followup1", "V2")),
        finds(n_cases=12, n_labels=12, n_patients=4, case="PETCT_000001_V2"),
    ),
    _layout(
        "dated-studies-below-patients",
        partial(patient_study, studies=("20200101", "20210203")),
        finds(n_cases=8, n_labels=8, n_patients=4),
    ),
    _layout(
        "studies-that-repeat-the-patient",
        partial(patient_study, studies=("PETCT_{patient:06x}_1", "PETCT_{patient:06x}_2")),
        finds(n_cases=8, n_labels=8, n_patients=4, case="PETCT_000002_1"),
    ),
    _layout(
        "site-patient-study",
        lambda folder: cases(folder, TWO, "A/P1/2020-01-01", "A/P1/2020-05-01", "B/P7/2021-01-01"),
        finds(n_cases=3, n_labels=3, n_patients=2, case="B_P7_2021-01-01"),
    ),
    _layout("mixed-depth", mixed_depth, finds(n_cases=4, n_labels=4, case="siteB_case07")),
    _layout(
        "images-in-anat",
        partial(parts, names={"T1": "anat/T1.nii.gz", "FLAIR": "anat/FLAIR.nii.gz"}, label=None),
        finds(n_cases=4),
    ),
    _layout(
        "folders-that-name-the-modality",
        partial(
            parts, names={"CT": "CT/0001.nii.gz", "PET": "PET/0001.nii.gz"}, label="seg/1.nii.gz"
        ),
        finds(n_cases=4, n_labels=4, files="seg/1"),
    ),
    _layout(
        "series-folders-that-tell-more",
        partial(
            parts,
            names={"CT": "CT ABDOMEN/s1.nii.gz", "PET": "PET WB/s2.nii.gz"},
            label="mask.nii.gz",
        ),
        finds(n_cases=4, n_labels=4),
    ),
    _layout(
        "images-and-labels-in-a-case",
        partial(
            parts,
            names={"T1": "images/t1.nii.gz", "FLAIR": "images/flair.nii.gz"},
            label="labels/a.nii.gz",
        ),
        finds(n_cases=4, n_labels=4, files="labels/"),
    ),
    _layout(
        "hecktor-without-description",
        partial(flat, form="imagesTr/{case}__{kind}.nii.gz", label="labelsTr/{case}.nii.gz"),
        finds(n_cases=5, n_labels=5, case="P-003"),
    ),
    _layout(
        "flat-with-gtv",
        partial(flat, form="{case}_{kind}.nii.gz", label="{case}_gtvt.nii.gz"),
        finds(n_cases=5, n_labels=5),
    ),
    _layout(
        "flat-with-the-modality-first",
        partial(
            flat,
            form="{kind}_train_{case}_image.nii.gz",
            label="ct_train_{case}_label.nii.gz",
            kinds=("CT",),
        ),
        finds(n_cases=5, n_labels=5, case="train_P-001"),
    ),
    _layout("folder-per-modality", by_modality, finds(n_cases=4, n_labels=4)),
    _layout(
        "flat-in-groups",
        lambda folder: [
            flat(folder / group, form="{case}_{kind}.nii.gz", label="{case}_seg.nii.gz")
            for group in ("train", "test")
        ],
        finds(n_cases=10, n_labels=10, case="test_P-001"),
    ),
    _layout(
        "decathlon-with-four-digits",
        partial(dataset, image=NIFTI_IMAGE, label=NIFTI_LABEL),
        finds(n_cases=4, n_labels=4, case="amos_0010"),
    ),
    _layout(
        "channel-names-with-plain-files",
        partial(dataset, image=NIFTI_IMAGE, label=NIFTI_LABEL, names="channel_names"),
        finds(n_cases=4, n_labels=4, case="amos_0010"),
    ),
    _layout(
        "nnunet-with-four-digits",
        partial(dataset, image=CHANNELS, label=NIFTI_LABEL, names="channel_names", n_channels=2),
        finds(n_cases=4, n_labels=4, case="amos_0022"),
    ),
    _layout(
        "older-nnunet-with-four-digits",
        partial(dataset, image=CHANNELS, label=NIFTI_LABEL, n_channels=2),
        finds(n_cases=4, n_labels=4, case="amos_0022"),
    ),
    _layout("two-studies-in-a-folder", two_studies_in_a_folder, finds(n_cases=6, n_patients=4)),
    _layout("debris", debris, finds(n_cases=4, n_labels=4)),
    _layout("loops", loops, finds(n_cases=3, n_labels=3)),
    _layout("linked-case-folders", links, finds(n_cases=3, n_labels=3, case="linked_case01")),
    _layout("results-beside", results_beside, finds(n_cases=3, n_labels=3)),
    _layout(
        "images-and-labels-by-case",
        images_and_labels_by_case,
        finds(n_cases=3, n_labels=3, case="c1", files="labels/"),
    ),
    _layout("folders-named-like-files", folders_named_like_files, finds(n_cases=3, n_labels=3)),
    Situation(
        "channels-without-description",
        LAYOUTS,
        without_description,
        SHOWN,
        exit_code=2,
        says=("no `dataset.json`", "0000=CT"),
    ),
    Situation(
        "channels-named-by-a-pattern",
        LAYOUTS,
        without_description,
        (*INSPECT, "--modality", "0000=CT"),
        check=finds(n_cases=4, n_labels=4, case="amos_0004"),
    ),
    Situation(
        "volumes-named-by-a-pattern",
        LAYOUTS,
        partial(flat, form="volume-{case}.nii", label="segmentation-{case}.nii", kinds=("CT",)),
        (*INSPECT, "--modality", "volume=CT"),
        check=finds(n_cases=5, n_labels=5, case="P-002"),
    ),
    Situation(
        "many-names-in-a-case",
        LAYOUTS,
        many_names_in_a_case,
        (*INSPECT, "--modality", "bias=ignore", "--modality", "noreg=ignore"),
        check=finds(n_cases=3, n_labels=3, case="UCSF-0001_nifti", files="tumor"),
    ),
    _layout("one-case", partial(plain_cohort, n_cases=1), finds(n_cases=1, n_labels=1)),
    Situation(
        "naming-is-shown",
        LAYOUTS,
        grades,
        SHOWN,
        says=("HGG_Brats18_A00_1", "groups, not patients"),
    ),
    Situation(
        "results-are-named", LAYOUTS, results_beside, SHOWN, says=("2 results of `ciml-segmenter",)
    ),
    Situation(
        "all-sibling-cohorts-are-named",
        LAYOUTS,
        two_data_sets,
        SHOWN,
        exit_code=2,
        says=("Dataset001_A, Dataset002_B",),
        silent_about=("give the folder above",),
    ),
    Situation(
        "one-case-with-parts-given",
        LAYOUTS,
        lambda folder: save_case(
            folder, 1, {"CT": "CT/1.nii.gz", "PET": "PET/1.nii.gz"}, label=None
        ),
        SHOWN,
        exit_code=2,
        says=("parts of one case",),
    ),
    _layout(
        "bids-masks-directly-in-derivatives",
        partial(bids, mask="derivatives/{subject}/{session}/{stem}_msk.nii.gz"),
        finds(n_cases=4, n_labels=4, files="_msk"),
        kind=LABELS,
    ),
    _layout(
        "bids-lesion-masks-of-a-pipeline",
        partial(
            bids,
            mask="derivatives/lesions/{subject}/{session}/anat/{stem}_label-lesion_mask.nii.gz",
        ),
        finds(n_cases=4, n_labels=4, files="label-lesion"),
        kind=LABELS,
    ),
    _layout(
        "bids-tissue-map-is-not-preferred",
        partial(
            bids,
            mask="{subject}/{session}/anat/{stem}_T1w_label-lesion_roi.nii.gz",
            second="derivatives/smriprep/{subject}/{session}/anat/{stem}_dseg.nii.gz",
        ),
        finds(n_cases=4, n_labels=4, files="lesion"),
        kind=LABELS,
    ),
    Situation(
        "bids-derivatives-that-tell-nothing-are-named",
        LABELS,
        partial(bids, mask="derivatives/mine/{subject}/{session}/{stem}_final.nii.gz"),
        SHOWN,
        says=(r"4 files in derivatives/ were not used", "--labels"),
    ),
    _layout(
        "consensus-of-seven-raters",
        partial(raters, masks=(*seven_raters(), "Consensus.nii.gz")),
        finds(n_cases=4, n_labels=4, files="Consensus"),
        kind=LABELS,
    ),
    Situation(
        "raters-without-consensus-are-asked-about",
        LABELS,
        partial(raters, masks=seven_raters()),
        SHOWN,
        says=("ManualSegmentation_7", r"manualsegmentation_1=label"),
        silent_about=("[Rr]emove", "[Dd]elete"),
    ),
    Situation(
        "a-rater-is-chosen",
        LABELS,
        partial(raters, masks=(*seven_raters(), "Consensus.nii.gz")),
        (*INSPECT, "--modality", "manualsegmentation_3=label"),
        check=finds(n_cases=4, n_labels=4, files="_3"),
    ),
    Situation(
        "raters-in-folders-are-asked-about",
        LABELS,
        partial(raters, masks=("rater1/seg.nii.gz", "rater2/seg.nii.gz")),
        SHOWN,
        says=("rater1/seg.nii.gz, rater2/seg.nii.gz", "rater1=label"),
    ),
    Situation(
        "a-rater-s-folder-is-chosen",
        LABELS,
        partial(raters, masks=("rater1/seg.nii.gz", "rater2/seg.nii.gz")),
        (*INSPECT, "--modality", "rater2=label"),
        check=finds(n_cases=4, n_labels=4, files="rater2"),
    ),
    *(
        _layout(
            f"label-in-{Path(place).parent.name}",
            partial(raters, masks=(place,)),
            finds(n_cases=4, n_labels=4, files=place),
            kind=LABELS,
        )
        for place in (
            "segmentations/lesion.nii.gz",
            "wmh/T1.nii.gz",
            "seg/x.nii.gz",
            "labels/1.nii.gz",
        )
    ),
    _layout(
        "wmh-beside-the-images",
        partial(raters, masks=("wmh.nii.gz",)),
        finds(n_cases=4, n_labels=4),
        kind=LABELS,
    ),
    *(
        _layout(
            f"labels-beside-the-cases-{number}",
            partial(labels_beside, place=place),
            finds(n_cases=4, n_labels=4),
            kind=LABELS,
        )
        for number, place in enumerate(
            (
                "labels/{case}.nii.gz",
                "my_masks/{case}-label.nii.gz",
                "segmentations/{case}/a.nii.gz",
            )
        )
    ),
    Situation(
        "two-folders-of-labels-are-asked-about",
        LABELS,
        two_folders_of_labels,
        SHOWN,
        says=("labels=label", "labels_v2/<case>.nii.gz"),
        silent_about=("[Rr]emove", "[Dd]elete"),
    ),
    Situation(
        "one-of-two-folders-of-labels-is-chosen",
        LABELS,
        two_folders_of_labels,
        (*INSPECT, "--modality", "labels_v2=label"),
        check=finds(n_cases=4, n_labels=4, files="labels_v2/"),
    ),
    _layout(
        "labels-with-an-ending-in-labelstr",
        partial(dataset, image=NIFTI_IMAGE, label="labelsTr/amos_{number:04d}_seg.nii.gz"),
        finds(n_cases=4, n_labels=4, case="amos_0010"),
        kind=LABELS,
    ),
    _layout(
        "labels-named-like-the-first-channel",
        partial(
            dataset,
            image=CHANNELS,
            label="labelsTr/amos_{number:04d}_0000.nii.gz",
            names="channel_names",
            n_channels=2,
        ),
        finds(n_cases=4, n_labels=4, case="amos_0010"),
        kind=LABELS,
    ),
    Situation(
        "files-of-unknown-meaning-beside-are-named",
        LABELS,
        partial(labels_beside, place="work_of_anna/{case}.nii.gz"),
        SHOWN,
        says=(r"4 files in work_of_anna/ were not used", "--labels"),
    ),
    *(
        _train(f"labels-named-{number}", place)
        for number, place in enumerate(
            (
                "mine/{case}.nii.gz",
                "mine/{case}_seg.nii.gz",
                "mine/{case}_0000.nii.gz",
                "mine/{case}-label.nii",
                "mine/{case}_1000007.nii.gz",
                "mine/{case}/seg.nii.gz",
                "mine/resampled/{case}_mask.nii.gz",
            )
        )
    ),
    Situation(
        "labels-of-other-cases",
        LABELS,
        partial(training_with_labels, place="mine/other_{case}x.nii.gz"),
        (
            "ciml-segmenter",
            "train",
            "{folder}/cohort",
            "--task",
            "single-target",
            "--primary",
            "T1",
            "--labels",
            "{folder}/mine",
            "--output",
            "{out}/model",
        ),
        exit_code=2,
        says=("named like the cases", "other_P00x.nii.gz"),
    ),
)
