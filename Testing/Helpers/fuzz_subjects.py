"""What reads mutated files: for every kind of file how it is made and which command gets it."""

from __future__ import annotations

import ctypes
import gzip
import hashlib
import json
import os
import random
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from dicom_files import SeriesPlan, ct_plan, pet_plan, write_enhanced, write_series
from mutations import (
    mutated_bytes,
    mutated_csv,
    mutated_json,
    mutated_nifti,
    mutated_text_header,
)
from phantoms import phantom, save_itk, save_nifti

from CIMLSegmentLib.__main__ import main as ciml_segmenter
from MDALSelectorLib.__main__ import main as mdal_selector
from MultimodalImagingLib.errors import CrossModalError
from MultimodalImagingLib.record.cohort_record import CaseState, CohortRecord

N = 8
Command = Callable[[], int]
Subject = Callable[[Path, Path, random.Random], Command]


def make_base(base: Path, *, model: Path | None, run: Path | None, result: Path | None) -> None:
    """Write the files that are mutated, and the intact ones beside them.

    Args:
        base: Empty folder.
        model: A trained model, for the kind `model`.
        run: A selection run, for the kind `record`.
        result: Result folder of one case, for the kind `record`.
    """
    images, label = phantom(0, n=N)
    save_nifti(base / "t1.nii", images["T1"])
    save_nifti(base / "seg.nii", label)
    save_nifti(base / "flair.nii.gz", images["FLAIR"])
    for suffix in ("nrrd", "mha"):
        for kind, array in (("t1", images["T1"]), ("seg", label)):
            save_itk(base / f"{kind}.{suffix}", array, compress=False)
            save_itk(base / f"{kind}-packed.{suffix}", array, compress=True)
    write_series(base / "dicom" / "ct", ct_plan(shape=(3, 4, 5)))
    write_series(base / "dicom" / "pet", pet_plan(shape=(3, 4, 5)))
    write_enhanced(base / "dicom" / "mr.dcm", SeriesPlan(shape=(3, 4, 5)), slopes=(1, 2, 3))
    for name, folder in (("model", model), ("run", run), ("result", result)):
        if folder is not None:
            shutil.copytree(folder, base / name, ignore=shutil.ignore_patterns("training"))


def _inspect(cohort: Path, source: random.Random) -> Command:
    form = source.choice([["--json"], ["--all"]])
    return lambda: mdal_selector(["inspect", str(cohort), "--deep", *form])


def _case_with(base: Path, folder: Path, name: str, data: bytes) -> None:
    case = folder / "case"
    case.mkdir(parents=True)
    os.link(base / "flair.nii.gz", case / "flair.nii.gz")
    (case / name).write_bytes(data)


def nifti(base: Path, folder: Path, source: random.Random) -> Command:
    """A NIfTI image or label, compressed or not."""
    kind = source.choice(["t1", "t1", "t1", "seg"])
    data = mutated_nifti((base / f"{kind}.nii").read_bytes(), source)
    suffix = source.choice(["nii", "nii.gz"])
    if (suffix == "nii.gz") != (source.random() < 0.03):  # sometimes under the wrong name
        data = gzip.compress(data, mtime=0)
        if source.random() < 0.1:
            data = data[: source.randrange(len(data))]
    _case_with(base, folder, f"{kind}.{suffix}", data)
    return _inspect(folder, source)


def nrrd(base: Path, folder: Path, source: random.Random) -> Command:
    """A NRRD image or segmentation."""
    kind = source.choice(["t1", "t1", "seg", "seg"])
    file = base / f"{kind}{source.choice(['', '-packed'])}.nrrd"
    data = mutated_text_header(file.read_bytes(), source, separator=":")
    suffix = source.choice(["nrrd", "nhdr"] if kind == "t1" else ["seg.nrrd", "nrrd"])
    _case_with(base, folder, f"{kind}.{suffix}", data)
    return _inspect(folder, source)


def meta(base: Path, folder: Path, source: random.Random) -> Command:
    """A MetaImage image or label."""
    kind = source.choice(["t1", "t1", "seg"])
    file = base / f"{kind}{source.choice(['', '-packed'])}.mha"
    data = mutated_text_header(file.read_bytes(), source, separator="=")
    _case_with(base, folder, f"{kind}.{source.choice(['mha', 'mha', 'mhd'])}", data)
    return _inspect(folder, source)


def dicom(base: Path, folder: Path, source: random.Random) -> Command:
    """DICOM files of a CT, a PET and an MR of several frames; some of them are damaged.

    The pixels are not read: for lengths that are wrong, GDCM takes memory before it refuses.
    """
    for file in sorted(path for path in (base / "dicom").rglob("*") if path.is_file()):
        data = file.read_bytes()
        target = folder / file.relative_to(base / "dicom")
        target.parent.mkdir(parents=True, exist_ok=True)
        head = 132  # without the mark it is another file
        is_damaged = source.random() < 0.5
        target.write_bytes(data[:head] + mutated_bytes(data[head:], source) if is_damaged else data)
    return lambda: mdal_selector(["inspect", str(folder), "--json"])


def manifest(base: Path, folder: Path, source: random.Random) -> Command:
    """A CSV manifest of three cases."""
    rows = ["case,patient,FLAIR,T1,label,score"]
    for number in range(3):
        rows.append(f"c{number},p{number},flair.nii.gz,t1.nii,seg.nii,{number}.5")
    _link(base, folder, ("flair.nii.gz", "t1.nii", "seg.nii"))
    (folder / "cohort.csv").write_bytes(mutated_csv("\n".join(rows) + "\n", source))
    whole = source.random() < 0.3
    return _inspect(folder if whole else folder / "cohort.csv", source)


def dataset(base: Path, folder: Path, source: random.Random) -> Command:
    """A `dataset.json` of nnU-Net or of the Decathlon."""
    is_nnunet = source.random() < 0.6
    names = {"0": "FLAIR", "1": "T1"}
    content = {
        "channel_names" if is_nnunet else "modality": names if is_nnunet else {"0": "T1"},
        "labels": {"background": 0, "core": 1, "edema": 2, "enhancing": 4},
        "numTraining": 1,
        "file_ending": ".nii.gz",
        "training": [{"image": "./imagesTr/c1.nii.gz", "label": "./labelsTr/c1.nii.gz"}],
        "name": "x",
    }
    for number in range(2 if is_nnunet else 1):
        suffix = f"_{number:04d}" if is_nnunet else ""
        _link(base, folder / "imagesTr", ("flair.nii.gz",), to=f"c1{suffix}.nii.gz")
    _link(base, folder / "labelsTr", ("seg.nii",), to="c1.nii")
    (folder / "dataset.json").write_bytes(mutated_json(json.dumps(content), source))
    return _inspect(folder, source)


def task(base: Path, folder: Path, source: random.Random) -> Command:
    """A task, given to a training of a cohort without labels."""
    from CIMLSegmentLib.task.task_io import PRESET_FOLDER

    text = source.choice(sorted(PRESET_FOLDER.glob("*.json"))).read_text(encoding="utf-8")
    _link(base, folder / "cohort" / "case", ("flair.nii.gz", "t1.nii"))
    file = folder / "task.json"
    file.write_bytes(mutated_json(text, source))
    words = ["train", str(folder / "cohort"), "--task", str(file), "--output", str(folder / "m")]
    return lambda: ciml_segmenter([*words, "--device", "cpu", "--primary", "T1"])


def model(base: Path, folder: Path, source: random.Random) -> Command:
    """A model's description, given to a segmentation."""
    _link(base / "model", folder / "model", ("model.safetensors",))
    text = (base / "model" / "model.json").read_text(encoding="utf-8")
    (folder / "model" / "model.json").write_bytes(mutated_json(text, source))
    for modality in ("t1c", "t2", "t1", "flair"):
        _link(base, folder / "case", ("t1.nii",), to=f"{modality}.nii")
    words = ["segment", str(folder / "case"), "--model", str(folder / "model")]
    return lambda: ciml_segmenter([*words, "--output", str(folder / "out"), "--device", "cpu"])


def record(base: Path, folder: Path, source: random.Random) -> Command:
    """A file of a cohort's record, of a selection run or of a result."""
    makers = (_states, _patterns, _selection, _result, _evaluation)
    return source.choice(makers)(base, folder, source)


def _states(base: Path, folder: Path, source: random.Random) -> Command:
    entry = {"state": "labelled", "by": "x", "at": "2026-01-01T00:00:00+00:00"}
    content = {"format": 1, "revision": 3, "cases": {"c1": entry, "c2": {**entry}}}
    (folder / "cases.json").write_bytes(mutated_json(json.dumps(content), source))
    return lambda: _change_states(CohortRecord(folder))


def _change_states(record: CohortRecord) -> int:
    try:
        record.change_states({"c3": CaseState.LABELLED}, seen_revision=1)
        assert record.read_states().of("c3") is CaseState.LABELLED
    except CrossModalError as error:
        print(f"Error: {error}")
        return error.exit_code
    return 0


def _patterns(base: Path, folder: Path, source: random.Random) -> Command:
    rows = [{"pattern": "t1", "modality": "T1"}, {"pattern": "fl.*", "modality": "FLAIR"}]
    content = json.dumps({"format": 1, "patterns": rows})
    _link(base, folder / "case", ("flair.nii.gz", "t1.nii"))
    (folder / ".crossmodal").mkdir()
    (folder / ".crossmodal" / "modalities.json").write_bytes(mutated_json(content, source))
    return _inspect(folder, source)


def _selection(base: Path, folder: Path, source: random.Random) -> Command:
    shutil.copytree(base / "run", folder / "run")
    file = folder / "run" / "selection.json"
    document = json.loads(file.read_text(encoding="utf-8"))
    data = mutated_json(json.dumps(document["selection"]), source)
    try:  # mostly with the right checksum, or nothing behind it would ever be reached
        content = json.loads(data)
        text = json.dumps(content, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
        document |= {"selection": content, "sha256": hashlib.sha256(text.encode()).hexdigest()}
        file.write_text(json.dumps(document), encoding="utf-8")
    except (ValueError, RecursionError):
        file.write_bytes(data)
    return lambda: mdal_selector(["report", str(folder / "run")])


def _result(base: Path, folder: Path, source: random.Random) -> Command:
    case = folder / "results" / "case"
    shutil.copytree(base / "result", case)
    text = (case / "result.json").read_text(encoding="utf-8")
    (case / "result.json").write_bytes(mutated_json(text, source))
    return _read_results(base, folder, source)


def _evaluation(base: Path, folder: Path, source: random.Random) -> Command:
    shutil.copytree(base / "result", folder / "results" / "case")
    score = {"case_id": "case", "region": "WT", "dice": 0.5, "hd95_mm": 3.0}
    content = {"task": "brats", "scores": [score], "summary": [], "mean_dsc_agg": 0.5}
    file = folder / "results" / "evaluation.json"
    file.write_bytes(mutated_json(json.dumps(content), source))
    return _read_results(base, folder, source)


def _read_results(base: Path, folder: Path, source: random.Random) -> Command:
    _link(base, folder / "cohort" / "case", ("flair.nii.gz", "t1.nii", "seg.nii"))
    command, option = source.choice([("evaluate", "--reference"), ("report", "--images")])
    words = [command, str(folder / "results"), option, str(folder / "cohort")]
    return lambda: ciml_segmenter(words)


def _link(base: Path, folder: Path, names: Sequence[str], *, to: str | None = None) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        os.link(base / name, folder / (to or name))


def _crash() -> int:
    ctypes.string_at(0)
    return 0


def _hang() -> int:
    while True:
        pass


def _raise() -> int:
    msg = "planted"
    raise ValueError(msg)


def _swell() -> int:
    return len(np.ones(140_000_000)) % 1


FAULTS = (_raise, _crash, _swell, _hang)


def fault(base: Path, folder: Path, source: random.Random) -> Command:
    """No file at all: what the search for faults has to find."""
    number = int(folder.name.rpartition("-")[2])
    return FAULTS[number]


IMAGES: dict[str, Subject] = {"nifti": nifti, "nrrd": nrrd, "meta": meta, "dicom": dicom}
TEXTS: dict[str, Subject] = {
    "manifest": manifest,
    "dataset": dataset,
    "task": task,
    "model": model,
    "record": record,
}
SUBJECTS = IMAGES | TEXTS
