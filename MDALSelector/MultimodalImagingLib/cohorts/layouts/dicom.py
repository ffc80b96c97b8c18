"""Layout: DICOM files in any folders; a patient's examination is a case, its series the images.

What the record's folder `dicom` holds may name patients, no other file and no message does.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from MultimodalImagingLib.cohorts.cases import Fit, FolderLayout, FoundFile, Listing, Problem
from MultimodalImagingLib.cohorts.dicom.file_list import (
    DICOM_FOLDER,
    dicom_candidates,
    holds_dicom,
    is_listed,
)
from MultimodalImagingLib.cohorts.dicom.headers import read_headers
from MultimodalImagingLib.cohorts.dicom.patients import (
    MOST_DAYS_APART,
    PATIENTS_NAME,
    Examination,
    examinations,
    numbered,
    without_patient,
)
from MultimodalImagingLib.cohorts.dicom.series import CaseSeries, Series, series_of_case
from MultimodalImagingLib.cohorts.dicom.suv import NoSUVError, suv_factor
from MultimodalImagingLib.cohorts.dicom.volumes import FoundVolume
from MultimodalImagingLib.cohorts.modality_patterns import ModalityPatterns, normalized_name
from MultimodalImagingLib.jobs.progress import NullReporter, Reporter
from MultimodalImagingLib.jobs.texts import counted, listed
from MultimodalImagingLib.record.atomic_files import write_json
from MultimodalImagingLib.record.cohort_record import (
    LOCK_SILENCE_S,
    LOCK_WAIT_S,
    default_record_folder,
)
from MultimodalImagingLib.record.locks import locked
from MultimodalImagingLib.record.series_file import SUFFIX, SeriesFile, write_series_file

UNUSED_NAME = "not-used.json"
_LONGEST_NAME = 60
_MOST_NAMED = 3


def fit(root: Path, patterns: ModalityPatterns) -> Fit:  # noqa: ARG001 - as other layouts
    """Tell whether there are DICOM files below a folder, or a list of some in its record."""
    if is_listed(root):
        return Fit.DECLARED
    return Fit.INFERRED if holds_dicom(root) else Fit.NONE


def list_cases(root: Path, patterns: ModalityPatterns) -> Listing:
    """List the series of all patients; as `list_series`, without a word on the way."""
    return list_series(root, patterns, NullReporter())


def list_series(root: Path, patterns: ModalityPatterns, reporter: Reporter) -> Listing:
    """List the series of all patients, and write a file for every volume into the record.

    Args:
        root: The cohort's folder.
        patterns: Table of modality names, which tells names of patients from those of images.
        reporter: Receives progress of reading headers.

    Raises:
        CohortError: If pydicom is not installed, or if a file of the record cannot be used.
        CrossModalError: If the record cannot be written.
    """
    folder = default_record_folder(root) / DICOM_FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    what = f"The record of the DICOM files, {folder},"
    wait = {"wait_s": LOCK_WAIT_S, "silent_for_s": LOCK_SILENCE_S}
    with locked(folder / "dicom.lock", what=what, **wait) as lock:
        lock.keep_alive()  # thousands of headers take minutes
        headers, others = read_headers(root, dicom_candidates(root), folder, reporter)
        reporter.stage("Find cases", 1)  # back to the stage that this is a part of
        found = examinations(headers)
        cases = numbered([item for item in found if item.kinds], folder / PATIENTS_NAME)
        builder = _Builder(root, folder, patterns)
        for case_id, examination in cases.items():
            builder.add(case_id, examination)
        problems = [*builder.problems, *_others(folder, others), *builder.unused_series()]
        if n_without := len(found) - len(cases):
            message = f"Studies without any CT, MR or PET, which are no cases: {n_without}."
            problems.append(Problem("info", message))
    patients: dict[tuple[str, ...], str] = {}
    for case_id, examination in cases.items():  # a patient is called by the first case
        patients.setdefault(examination.patient, case_id)
    return Listing(
        LAYOUT.name,
        root,
        tuple(cases),
        tuple(builder.files),
        (*problems, *_apart(cases)),
        {case_id: patients[item.patient] for case_id, item in cases.items()},
        naming=_naming(folder),
        is_private=True,
    )


class _Builder:
    """Collects files and problems case by case."""

    def __init__(self, root: Path, folder: Path, patterns: ModalityPatterns) -> None:
        self._root = root
        self._folder = folder
        self._patterns = patterns
        self._unused: dict[str, list[int]] = defaultdict(list)
        self.files: list[FoundFile] = []
        self.problems: list[Problem] = []

    def add(self, case_id: str, examination: Examination) -> None:
        """Add one case."""
        found = series_of_case(examination.files, self._root)
        self.problems += _patient_problems(case_id, examination)
        for series in found.series:
            self._add_series(case_id, series)
        self._note(case_id, found)

    def unused_series(self) -> Iterator[Problem]:
        """Say which series are no images of cases, one sentence per reason."""
        for reason, counts in sorted(self._unused.items()):
            cases = counted(len(counts), "case")
            yield Problem("info", f"{sum(counts)} series of {cases} left out: {reason}.")

    def _note(self, case_id: str, found: CaseSeries) -> None:
        for reason, n in found.unused.items():
            self._unused[reason].append(n)
        for label, fault, advice in found.faults:
            message = f"Expected images of series {label} that can be read, found {fault}. {advice}"
            self.problems.append(Problem("error", message, case_id))

    def _add_series(self, case_id: str, series: Series) -> None:
        name = self._name(series)
        good = [volume for volume in series.volumes if volume.grid is not None]
        for volume in series.volumes:
            if volume.grid is None and not (good and len(volume.pictures) == 1):
                self.problems.append(_fault(case_id, series.label, name, volume))
        self.problems += [
            Problem("warning", f"Series {series.label} ({name}): {note}", case_id)
            for note in series.notes
        ]
        for number, volume in enumerate(good, start=1):
            label = f"{series.label}.{number}" if len(good) > 1 else series.label
            self._add_volume(case_id, label, name, (series, volume))

    def _add_volume(
        self, case_id: str, label: str, name: str, found: tuple[Series, FoundVolume]
    ) -> None:
        series, volume = found
        path = self._folder / case_id / f"{_file_name(f'{label} {name}')}{SUFFIX}"
        factor, problem = _suv(case_id, label, series, volume)
        self.problems += [problem] if problem else []
        write_series_file(path, _series_file(volume, factor), root=self._root)
        self.files.append(
            FoundFile(
                case_id,
                path,
                name,
                kind=series.kind,
                place=f"{case_id} series {label}",
                details=_details(series, volume),
                left_out=series.left_out,
            )
        )

    def _name(self, series: Series) -> str:
        """Return the description without what it says of the patient, as patterns see it."""
        texts = (series.header.get(key) for key in ("SeriesDescription", "ProtocolName"))
        clean = [without_patient(str(t), series.header, self._patterns) for t in texts if t]
        name = next((normalized_name(text) for text in clean if text), "no_description")
        has_agent = series.kind == "MR" and "ContrastBolusAgent" in series.header
        return f"{name}_contrast" if has_agent else name


def _series_file(volume: FoundVolume, factor: float) -> SeriesFile:
    grid = volume.grid
    if grid is None:
        msg = "Expected a volume with a grid."
        raise ValueError(msg)
    pictures = volume.pictures
    return SeriesFile(
        tuple(picture.file for picture in pictures),
        tuple(picture.frame for picture in pictures),
        grid.size,
        grid.spacing_mm,
        grid.origin_mm,
        grid.direction,
        factor,
        _rescale(volume),
    )


def _rescale(volume: FoundVolume) -> tuple[tuple[float, float], ...]:
    """Return what makes good that all frames of a file are read with the scale of the first."""
    found = []
    for picture in volume.pictures:
        frames = picture.header.get("Frames") or [picture.header]
        slope, intercept = _scale(frames[picture.frame])
        read_slope, read_intercept = _scale(frames[0])
        factor = slope / read_slope
        found.append((factor, intercept - read_intercept * factor))
    return () if set(found) == {(1.0, 0.0)} else tuple(found)


def _scale(own: Mapping[str, float]) -> tuple[float, float]:
    return float(own.get("RescaleSlope", 1.0)) or 1.0, float(own.get("RescaleIntercept", 0.0))


def _suv(
    case_id: str, label: str, series: Series, volume: FoundVolume
) -> tuple[float, Problem | None]:
    if series.kind != "PET":
        return 1.0, None
    try:
        return suv_factor([picture.header for picture in volume.pictures]), None
    except NoSUVError as error:
        message = (
            f"The values of PET series {label} stay as they are, because SUV cannot be computed:"
            f" {error}. Add what is missing to the files, or give images in SUV; all cases of a"
            " cohort need the same unit."
        )
        return 1.0, Problem("warning", message, case_id)


def _details(series: Series, volume: FoundVolume) -> str:
    grid = volume.grid
    size = "" if grid is None else "x".join(str(n) for n in grid.size)
    mm = "" if grid is None else "x".join(f"{value:.3g}" for value in grid.spacing_mm)
    agent = ", contrast agent" if "ContrastBolusAgent" in series.header else ""
    why = f"; {series.left_out}" if series.left_out else ""
    return f"{series.kind}, {size}, {mm} mm{agent}{why}"


def _fault(case_id: str, label: str, name: str, volume: FoundVolume) -> Problem:
    is_slice = len(volume.pictures) == 1
    message = (
        f"Expected a volume in series {label} ({name}), found {volume.fault}. {volume.advice}"
        f"{'' if is_slice else ' The series is not used.'}"
    )
    return Problem("info" if is_slice else "error", message, case_id)


def _file_name(text: str) -> str:
    """Make a file's name of a description."""
    return re.sub(r"[^\w .+-]+", "-", text)[:_LONGEST_NAME].strip(" .")


def _patient_problems(case_id: str, examination: Examination) -> Iterator[Problem]:
    for keyword, what in (("PatientName", "names"), ("PatientBirthDate", "dates of birth")):
        n_said = len(examination.said(keyword))
        if n_said > 1:
            message = (
                f"Expected one patient, found {n_said} different {what} under one patient ID; they"
                f" count as one. `{DICOM_FOLDER}/{PATIENTS_NAME}` in the record has them. If they"
                " are different persons, give them different IDs."
            )
            yield Problem("warning", message, case_id)
    if len(examination.studies) > 1:
        message = (
            f"{len(examination.studies)} studies of one patient with different kinds of images,"
            f" {counted(examination.days_apart, 'day')} apart, are one case."
        )
        yield Problem("info", message, case_id)


def _apart(cases: Mapping[str, Examination]) -> Iterator[Problem]:
    """Say which cases are studies of one patient that were too far apart to be one case."""
    by_patient: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for case_id, item in cases.items():
        by_patient[item.patient].append(case_id)
    for names in by_patient.values():
        kinds = [cases[name].kinds for name in names]
        is_disjoint = len(names) > 1 and len(frozenset().union(*kinds)) == sum(map(len, kinds))
        if is_disjoint:
            message = (
                f"{listed(names)} are studies of one patient with different kinds of images, more"
                f" than {MOST_DAYS_APART} days apart; they are not put together."
            )
            yield Problem("info", message, names[0])


def _others(folder: Path, others: Sequence[str]) -> list[Problem]:
    """Say how many files are not DICOM; which ones stands in the record, as names may be names."""
    if others:
        write_json(folder / UNUSED_NAME, list(others))
        message = (
            f"{counted(len(others), 'file', 'is', 'are')} no DICOM or cannot be read, and not used;"
            f" `{DICOM_FOLDER}/{UNUSED_NAME}` in the record says which."
        )
        return [Problem("info", message)]
    return []


def _naming(folder: Path) -> str:
    return (
        "Cases are examinations of patients, called by numbers; which patient a case is stands in"
        f" {folder / PATIENTS_NAME} only."
    )


LAYOUT = FolderLayout(
    "DICOM files",
    "DICOM files of many patients, in any folders",
    fit,
    list_cases,
    can_be_declared=False,  # by its own record only, where no other layout is asked
)
