"""Situations about the meaning of label values: schemes, names, whole numbers, extents."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import nibabel
import numpy as np
from phantoms import AFFINE, MR, Array, phantom, save_nifti
from segment_files import save_segments
from situation import Situation

from CIMLSegmentLib.results.result_io import write_result
from CIMLSegmentLib.results.segmentation_result import SegmentationResult
from CIMLSegmentLib.task.task_io import load_task
from MultimodalImagingLib.images.geometry import Grid, Volume, grid_from_affine_ras

KIND = "label values"
PET_CT = ("PET", "CT")
CORE, EDEMA, ENHANCING = 1, 2, 4
SIDE = 24
GRID: Grid = grid_from_affine_ras(AFFINE, (SIDE,) * 3)

QUICK = ("--steps", "2", "--features", "4", "--largest-patch", "16", "--validate-every", "2")
INSPECT = ("mdal-selector", "inspect", "{folder}/cohort")
TRAIN = ("ciml-segmenter", "train", "{folder}/cohort", "--output", "{out}/model", "--device", "cpu")
REFERENCE = ("--reference", "{folder}/cohort")
EVALUATE = ("ciml-segmenter", "evaluate", "{folder}/results", "--output", "{out}/scores")
EVALUATE = (*EVALUATE, *REFERENCE)
REPORT = ("ciml-segmenter", "report", "{folder}/results", "--images", "{folder}/cohort")
REPORT = (*REPORT, *REFERENCE, "--output", "{out}/page.html")

Change = Callable[[int, Array], Array]
SaveLabel = Callable[[Path, int, Array], object]


def relabelled(mapping: Mapping[int, int]) -> Change:
    """Give other numbers to core (1), edema (2) and enhancing tumor (4)."""

    def change(_seed: int, label: Array) -> Array:
        result = np.zeros(label.shape, np.int32)
        for value, other in mapping.items():
            result[label == value] = other
        return result.astype(np.int16 if result.max() < 32768 else np.uint16)

    return change


BRATS_2023 = relabelled({CORE: 1, EDEMA: 2, ENHANCING: 3})


def alternating(first: Change, second: Change) -> Change:
    return lambda seed, label: (second if seed % 2 else first)(seed, label)


def cohort(
    folder: Path,
    *,
    change: Change | None = None,
    save: SaveLabel | None = None,
    kinds: tuple[str, ...] = MR,
    n_cases: int = 4,
) -> None:
    """Write images and labels, and results that agree with the labels as they were."""
    task = load_task("brats" if kinds == MR else "pet-ct")
    for seed in range(n_cases):
        case_id = f"case{seed:02d}"
        images, label = phantom(seed, n=SIDE, kinds=kinds)
        for kind, image in images.items():
            save_nifti(folder / "cohort" / case_id / f"{kind.lower()}.nii.gz", image)
        truth = label if kinds == MR else (label > 0).astype(np.uint8)
        stored = truth if change is None else change(seed, label)
        if save is None:
            save_nifti(folder / "cohort" / case_id / "seg.nii.gz", stored)
        else:
            save(folder / "cohort" / case_id, seed, stored)
        _write_result(folder / "results", case_id, truth, task)


def _write_result(results: Path, case_id: str, truth: Array, task, **model: str) -> None:
    results.mkdir(parents=True, exist_ok=True)
    volume = Volume(np.ascontiguousarray(truth.transpose(2, 1, 0)).astype(np.int16), GRID)
    primary = task.subtasks[0].primary
    write_result(SegmentationResult(case_id, task, primary, volume, model=model), results)


def nnunet(folder: Path, *, labels: Mapping[str, object], change: Change) -> None:
    """Write the same as a dataset of nnU-Net, whose `dataset.json` names the labels."""
    root = folder / "cohort"
    task = load_task("brats")
    for seed in range(4):
        case_id = f"case{seed:02d}"
        images, label = phantom(seed, n=SIDE, kinds=MR)
        for channel, image in enumerate(images.values()):
            save_nifti(root / "imagesTr" / f"{case_id}_{channel:04d}.nii.gz", image)
        save_nifti(root / "labelsTr" / f"{case_id}.nii.gz", change(seed, label))
        _write_result(folder / "results", case_id, label, task)
    content = {
        "channel_names": {str(n): kind for n, kind in enumerate(MR)},
        "labels": labels,
        "numTraining": 4,
        "file_ending": ".nii.gz",
    }
    (root / "dataset.json").write_text(json.dumps(content))


def trained_with_option(folder: Path) -> None:
    """Results of a model that was trained with the option know about it."""
    cohort(folder, change=BRATS_2023)
    task = load_task("brats")
    for path in (folder / "results").iterdir():
        label = phantom(int(path.name[-2:]), n=SIDE)[1]
        for file in sorted(path.iterdir()):
            file.unlink()
        path.rmdir()
        _write_result(folder / "results", path.name, label, task, label_values="brats-2023")


def slope_of_header(case: Path, seed: int, label: Array) -> None:
    """Write whole numbers through a scale factor, so that 2 is read as 2.00003 or 1.992."""
    image = nibabel.Nifti1Image(label.astype(np.float64), AFFINE)
    image.set_sform(AFFINE, 1)
    image.set_qform(AFFINE, 1)
    image.header.set_data_dtype(np.uint16 if seed % 2 else np.uint8)
    nibabel.save(image, str(case / "seg.nii.gz"))


def one_hot(case: Path, _seed: int, label: Array) -> None:
    maps = np.stack([label == value for value in (1, 2, 4)], axis=-1)
    nibabel.save(nibabel.Nifti1Image(maps.astype(np.uint8), AFFINE), str(case / "seg.nii.gz"))


def segments(
    case: Path,
    _seed: int,
    label: Array,
    *,
    names: Mapping[int, str],
    layers: bool = False,
    crop: bool = False,
) -> None:
    """Write segments: in one layer, in layers of nested regions, or cut off at their rim."""
    array, grid = np.ascontiguousarray(label.transpose(2, 1, 0)), GRID
    if layers:
        nested = [np.isin(array, inner) for inner in ((1, 2, 4), (1, 4), (4,))]
        titles = [(name, 1, layer) for layer, name in enumerate(names.values())]
        save_segments(case / "seg.seg.nrrd", nested, titles, grid)
        return
    if crop:
        array, grid = _cropped(array)
    titles = [(name, value, 0) for value, name in names.items()]
    save_segments(case / "seg.seg.nrrd", [array], titles, grid)


def extents(case: Path, seed: int, label: Array) -> None:
    """Write segments as Slicer does: whole, cut off, one slice, one voxel for nothing."""
    array = np.ascontiguousarray((label > 0).transpose(2, 1, 0)).astype(np.uint8)
    if seed % 4 == 2:
        array[np.arange(SIDE) != np.flatnonzero(array.any(axis=(1, 2)))[1]] = 0
    if seed % 4 == 3:
        one = Grid((1, 1, 1), GRID.spacing_mm, GRID.origin_mm, GRID.direction)
        save_segments(case / "s.seg.nrrd", [np.zeros((1, 1, 1), np.uint8)], [], one)
        return
    cut, grid = _cropped(array) if seed % 4 else (array, GRID)
    save_segments(case / "s.seg.nrrd", [cut], [("edema", 1, 0)], grid)


def _cropped(array: Array) -> tuple[Array, Grid]:
    places = np.argwhere(array)
    low, high = places.min(axis=0), places.max(axis=0) + 1
    cut = np.ascontiguousarray(array[tuple(map(slice, low, high))])
    origin = GRID.index_to_lps @ np.array([*low[::-1], 1.0])
    size = (cut.shape[2], cut.shape[1], cut.shape[0])
    return cut, Grid(size, GRID.spacing_mm, tuple(origin[:3].tolist()), GRID.direction)


def dice_is_one(_folder: Path, out: Path, _output: str) -> None:
    with (out / "scores" / "evaluation.csv").open() as file:
        found = {float(row["dice"]) for row in csv.DictReader(file)}
    assert found == {1.0}


def model_remembers(_folder: Path, out: Path, _output: str) -> None:
    description = json.loads((out / "model" / "model.json").read_text())
    assert description["label_values"] == "brats-2023"


def _situation(name: str, build, command: tuple[str, ...], *says: str, **fields) -> Situation:
    return Situation(f"labels-{name}", KIND, build, command, says=says, **fields)


def _asked(name: str, build, command: tuple[str, ...], *says: str) -> Situation:
    return _situation(name, build, command, "--label-values", *says, exit_code=2)


TRAIN_BRATS, TRAIN_PET_CT = (*TRAIN, "--task", "brats"), (*TRAIN, "--task", "pet-ct")
ASK_2023 = "give --label-values brats-2023"
OTHER_SPELLINGS = {1: "Non-enhancing tumour", 2: "peritumoral_oedema", 4: "ENHANCING TUMOUR"}
GERMAN = {1: "Nekrose", 2: "Ödem", 4: "Anreicherung"}
DOUBLED = alternating(lambda _, label: label, BRATS_2023)
WITH_CAVITY = relabelled({CORE: 4, EDEMA: 2, ENHANCING: 3})
PEDIATRIC = relabelled({CORE: 2, EDEMA: 4, ENHANCING: 1})
BINARY_255 = relabelled({CORE: 255, EDEMA: 255, ENHANCING: 255})
BINARY = relabelled({CORE: 1, EDEMA: 1, ENHANCING: 1})
SWAPPED = relabelled({CORE: 2, EDEMA: 1, ENHANCING: 3})
NO_ENHANCING = relabelled({CORE: 1, EDEMA: 2, ENHANCING: 1})
NOTHING = relabelled({})
NOT_ANNOTATED = relabelled({CORE: 1, EDEMA: -1, ENHANCING: 4})


def _probability(_seed: int, label: Array) -> Array:
    return ((label > 0) * 0.87).astype(np.float32)


def _intensities(_seed: int, label: Array) -> Array:
    noise = np.random.default_rng(0).normal(5000, 900, label.shape)
    return (noise * (label > 0)).astype(np.float32)


def _whole_intensities(seed: int, label: Array) -> Array:
    return np.rint(_intensities(seed, label)).astype(np.int16)


def _with_nan(_seed: int, label: Array) -> Array:
    return np.where(label == 0, np.nan, label).astype(np.float32)


SITUATIONS = (
    # Generations of one data set.
    _asked(
        "brats-2023",
        partial(cohort, change=BRATS_2023),
        TRAIN_BRATS,
        ASK_2023,
        r"3 in 4 cases \(case00",
    ),
    _situation(
        "brats-2023-inspected",
        partial(cohort, change=BRATS_2023),
        INSPECT,
        r"label value +name +cases",
        r"3 +no name +4",
    ),
    _situation(
        "brats-2023-answered",
        partial(cohort, change=BRATS_2023),
        (*TRAIN_BRATS, *QUICK, "--label-values", "brats-2023"),
        r"3 = enhancing tumor \(4 cases",
        check=model_remembers,
    ),
    _asked(
        "mixed-generations",
        partial(cohort, change=DOUBLED),
        TRAIN_BRATS,
        r"No case has both 4 and 3",
    ),
    _asked(
        "resection-cavity",
        partial(cohort, change=alternating(WITH_CAVITY, relabelled({1: 1, 2: 2, 4: 3}))),
        TRAIN_BRATS,
        "brats-gli-2024",
    ),
    _asked(
        "pediatric-with-cyst",
        partial(cohort, change=alternating(PEDIATRIC, relabelled({1: 3, 2: 4, 4: 1}))),
        TRAIN_BRATS,
        "brats-ped",
    ),
    _asked("brats-2023-evaluated", partial(cohort, change=BRATS_2023), EVALUATE, ASK_2023),
    _situation(
        "brats-2023-evaluated-answered",
        partial(cohort, change=BRATS_2023),
        (*EVALUATE, "--label-values", "ET=3"),
        check=dice_is_one,
    ),
    _situation(
        "answer-kept-with-results",
        trained_with_option,
        EVALUATE,
        r'trained with --label-values "brats-2023"',
        check=dice_is_one,
    ),
    _asked(
        "brats-2023-drawn",
        partial(cohort, change=BRATS_2023),
        REPORT,
        ASK_2023,
    ),
    # Masks of one label.
    _situation(
        "mask-255",
        partial(cohort, change=BINARY_255, kinds=PET_CT),
        EVALUATE,
        "255 in place of 1",
        check=dice_is_one,
    ),
    _situation(
        "mask-255-trained",
        partial(cohort, change=BINARY_255, kinds=PET_CT),
        (*TRAIN_PET_CT, *QUICK),
        "255 in place of 1",
        silent_about=("free of them",),
    ),
    _situation(
        "mask-65535",
        partial(cohort, change=relabelled(dict.fromkeys((1, 2, 4), 65535)), kinds=PET_CT),
        EVALUATE,
        "65535 in place of 1",
        check=dice_is_one,
    ),
    _situation(
        "mask-float",
        partial(cohort, change=lambda _, x: (x > 0).astype(np.float32), kinds=PET_CT),
        EVALUATE,
        silent_about=("in place of", "Warning"),
        check=dice_is_one,
    ),
    _asked("mask-255-many-labels", partial(cohort, change=BINARY_255), TRAIN_BRATS, "255 in 4"),
    _asked(
        "mask-1-and-255",
        partial(cohort, change=alternating(BINARY, BINARY_255), kinds=PET_CT),
        TRAIN_PET_CT,
        r"255 in 2 cases \(case01, case03\)",
    ),
    _asked(
        "tissue-map",
        partial(cohort, change=relabelled({CORE: 1, EDEMA: 2, ENHANCING: 3}), kinds=PET_CT),
        TRAIN_PET_CT,
        "2 in 4 cases",
        "others=ignore",
    ),
    # Regions without any label.
    _asked("no-enhancing", partial(cohort, change=NO_ENHANCING), TRAIN_BRATS, "none of ET"),
    _situation(
        "no-enhancing-evaluated",
        partial(cohort, change=NO_ENHANCING),
        EVALUATE,
        "No reference has a voxel of region ET",
    ),
    _asked("all-empty", partial(cohort, change=NOTHING), TRAIN_BRATS, "every label map is empty"),
    _asked("binary-for-many-labels", partial(cohort, change=BINARY), TRAIN_BRATS, "none of ET"),
    _asked("negative", partial(cohort, change=NOT_ANNOTATED), TRAIN_BRATS, "-1 in 4 cases"),
    _situation(
        "negative-answered",
        partial(cohort, change=NOT_ANNOTATED),
        (*EVALUATE, "--label-values=-1=edema"),
        check=dice_is_one,
    ),
    # Whole numbers.
    _situation("slope", partial(cohort, save=slope_of_header), EVALUATE, check=dice_is_one),
    _situation(
        "slope-inspected",
        partial(cohort, save=slope_of_header),
        (*INSPECT, "--deep"),
        r"4 +no name +4",
        "No problems",
    ),
    _situation(
        "probability",
        partial(cohort, change=_probability),
        TRAIN_BRATS,
        "Cases case00, case01, case02, case03: .* such as 0.87, as in a probability map",
        exit_code=2,
    ),
    _situation(
        "probability-evaluated",
        partial(cohort, change=_probability),
        EVALUATE,
        "case00, .*probability map",
        exit_code=2,
    ),
    _situation(
        "one-hot", partial(cohort, save=one_hot), INSPECT, "case00, .*one-hot", "one 3-D label map"
    ),
    _situation(
        "image-as-label",
        partial(cohort, change=_intensities, kinds=PET_CT),
        TRAIN_PET_CT,
        "different values such as .*, as in an image",
        exit_code=2,
    ),
    _asked(
        "whole-image-as-label",
        partial(cohort, change=_whole_intensities, kinds=PET_CT),
        TRAIN_PET_CT,
        "check that it is a label map",
    ),
    _situation(
        "nan-outside", partial(cohort, change=_with_nan), INSPECT, "case00, .*NaN or infinity"
    ),
    # Names.
    _situation(
        "swapped-names",
        partial(
            nnunet,
            labels={"background": 0, "edema": 1, "necrotic core": 2, "enhancing": 3},
            change=SWAPPED,
        ),
        EVALUATE,
        r"1 edema = edema",
        r"2 necrotic core = necrotic",
        check=dice_is_one,
    ),
    _situation(
        "swapped-names-inspected",
        partial(
            nnunet,
            labels={"0": "background", "1": "edema", "2": "necrotic core", "3": "enhancing"},
            change=SWAPPED,
        ),
        INSPECT,
        r"1 +edema +4",
        r"2 +necrotic core +4",
    ),
    _situation(
        "region-lists",
        partial(
            nnunet,
            labels={"background": 0, "whole tumor": [1, 2, 3], "tumor core": [2, 3], "ET": [3]},
            change=SWAPPED,
        ),
        EVALUATE,
        check=dice_is_one,
    ),
    _situation(
        "named-but-absent",
        partial(
            nnunet,
            labels={"background": 0, "ED": 1, "NCR": 2, "ET": 3, "cavity": 4},
            change=SWAPPED,
        ),
        EVALUATE,
        silent_about=("cavity",),
        check=dice_is_one,
    ),
    _asked(
        "named-thing-that-the-task-lacks",
        partial(
            nnunet,
            labels={"background": 0, "ED": 1, "cavity": 2, "ET": 3},
            change=SWAPPED,
        ),
        TRAIN_BRATS,
        "cavity in 4 cases",
    ),
    _situation(
        "segments-in-other-spelling",
        partial(cohort, save=partial(segments, names=OTHER_SPELLINGS)),
        EVALUATE,
        check=dice_is_one,
    ),
    _situation(
        "segments-cut-off",
        partial(cohort, save=partial(segments, names=OTHER_SPELLINGS, crop=True)),
        EVALUATE,
        silent_about=("another grid",),
        check=dice_is_one,
    ),
    _situation(
        "segments-in-layers",
        partial(
            cohort,
            save=partial(
                segments, names={2: "Whole tumor", 1: "Tumor core", 4: "Enhancing"}, layers=True
            ),
        ),
        EVALUATE,
        check=dice_is_one,
    ),
    _asked(
        "segments-in-another-language",
        partial(cohort, save=partial(segments, names=GERMAN)),
        TRAIN_BRATS,
        "Anreicherung in 4 cases",
    ),
    _situation(
        "segments-in-another-language-answered",
        partial(cohort, save=partial(segments, names=GERMAN)),
        (*EVALUATE, "--label-values", "Nekrose=NCR,Ödem=edema,Anreicherung=ET"),
        check=dice_is_one,
    ),
    _situation(
        "segments-of-any-extent",
        partial(cohort, save=extents),
        INSPECT,
        "4 labels",
        r"1 +edema +3",
        "No problems",
        silent_about=("remove",),
    ),
    # Fine, and to stay so.
    _situation(
        "plain",
        cohort,
        EVALUATE,
        silent_about=("meaning is unknown", "in place of", "Warning"),
        check=dice_is_one,
    ),
    _situation("plain-trained", cohort, (*TRAIN_BRATS, *QUICK), r"4 = enhancing tumor \(4 cases"),
    # Answers that cannot be used.
    _situation(
        "answer-about-nothing",
        cohort,
        (*EVALUATE, "--label-values", "7=ET"),
        "speaks of '7', but no label map holds it",
        check=dice_is_one,
    ),
    _situation(
        "answer-not-understood",
        cohort,
        (*TRAIN_BRATS, "--label-values", "4=liver"),
        "3=ET or 4=ignore",
        exit_code=2,
    ),
)
