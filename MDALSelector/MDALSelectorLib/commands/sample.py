"""The command `mdal-selector sample`: synthetic data to try the programs on. Needs no torch."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path

from MDALSelectorLib.synthetic_cohort import write_cohort
from MDALSelectorLib.synthetic_patient import MODALITIES, make_patient
from MultimodalImagingLib.errors import UsageError
from MultimodalImagingLib.images.volume_io import write_volume
from MultimodalImagingLib.jobs.progress import Reporter
from MultimodalImagingLib.record.atomic_files import write_json
from MultimodalImagingLib.record.atomic_folder import new_folder, tidy_up
from MultimodalImagingLib.record.json_entry import json_value
from MultimodalImagingLib.record.ownership import is_free

N_CASES = 12
SEED = 5
MARKER = "sample.json"
Content = Mapping[str, object]


def add_sample_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the `sample` command to its parser."""
    parser.add_argument(
        "sample",
        choices=sorted(_SAMPLES),
        help=f"cohort: {N_CASES} heads with tumors in four MR sequences, with reference labels;"
        " patient: a thigh with a tumor in PET, CT and T1. Both are made on the spot and show"
        " nobody",
    )
    parser.add_argument(
        "--output", type=Path, required=True, help="new folder; one that holds the sample is kept"
    )


def run_sample(options: argparse.Namespace, reporter: Reporter) -> int:
    """Run the `sample` command; returns the exit code 0."""
    folder, content = options.output, _content(options.sample)
    write, place = _SAMPLES[options.sample]
    if _marker(folder) != content:
        if not is_free(folder):
            msg = f"{folder} exists already and was left as it is. Choose another --output."
            raise UsageError(msg)
        tidy_up(folder.parent)
        with new_folder(folder) as unfinished:
            write(unfinished, reporter)
            write_json(unfinished / MARKER, content)
    found = place(folder)
    gone = [path for path in found.values() if not Path(path).exists()]
    if gone:
        msg = f"The sample in {folder} lacks {Path(gone[0]).name}. Remove {folder}, then try again."
        raise UsageError(msg)
    reporter.result({"sample": options.sample, **found})
    return 0


def _write_cohort(folder: Path, reporter: Reporter) -> None:
    write_cohort(folder, n_cases=N_CASES, seed=SEED, few_faults=True, reporter=reporter)


def _cohort_places(folder: Path) -> dict[str, str]:
    return {"cohort": str(folder / "cohort")}


def _write_patient(folder: Path, reporter: Reporter) -> None:
    reporter.stage("Make the patient", len(MODALITIES) + 1)
    images, _tumor = make_patient()
    reporter.advance()
    for modality, path in _patient_places(folder).items():
        write_volume(Path(path), images[modality])
        reporter.advance()


def _patient_places(folder: Path) -> dict[str, str]:
    return {name: str(folder / f"synthetic-patient_{name}.nii.gz") for name in MODALITIES}


_SAMPLES: Mapping[
    str, tuple[Callable[[Path, Reporter], None], Callable[[Path], dict[str, str]]]
] = {"cohort": (_write_cohort, _cohort_places), "patient": (_write_patient, _patient_places)}


def _content(sample: str) -> Content:
    return {"sample": sample}


def _marker(folder: Path) -> object:
    """Return what the marker of a folder says; `None` if it has none."""
    try:
        return json_value((folder / MARKER).read_bytes())
    except (OSError, ValueError):
        return None
