"""Cases of DICOM files: which studies make one, and what it is called.

A case is called by a number, never by what a header says of the patient. Who is who stands in one
file of the record, which also keeps the numbers when patients are added.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from MultimodalImagingLib.cohorts.dicom.headers import KINDS, Header
from MultimodalImagingLib.cohorts.modality_patterns import ModalityPatterns, normalized_name
from MultimodalImagingLib.errors import CohortError
from MultimodalImagingLib.record.atomic_files import write_json
from MultimodalImagingLib.record.json_entry import json_value

PATIENTS_NAME = "patients.json"
FORMAT_VERSION = 1
# Images that are further apart are hardly of one examination.
MOST_DAYS_APART = 31

_FEWEST_LETTERS = 3
_DATE = re.compile(r"(?<!\d)(19|20)\d{6}(?!\d)")

Named = tuple[str, Header]  # the file's name and its header


@dataclass(frozen=True)
class Examination:
    """The studies of one patient that make a case.

    Attributes:
        patient: What tells the patient from others; never shown.
        studies: Their UIDs.
        files: The files with their headers.
        days: When the studies were, as far as it is known.
    """

    patient: tuple[str, ...]
    studies: tuple[str, ...]
    files: tuple[Named, ...]
    days: tuple[date, ...]

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds of images by DICOM's names; none for reports or contours alone."""
        return frozenset(KINDS).intersection(str(h.get("Modality", "")) for _, h in self.files)

    @property
    def days_apart(self) -> int:
        """Days between the first and the last study; 0 where that is not known."""
        return (max(self.days) - min(self.days)).days if self.days else 0

    def said(self, keyword: str) -> list[str]:
        """Return the different values of a field in the headers."""
        return sorted({str(header[keyword]) for _, header in self.files if keyword in header})


def examinations(files: Mapping[str, Header]) -> list[Examination]:
    """Sort files by patient and study, and put studies together that make one case.

    Studies of a patient are one case if they have no kind of image in common and are at most
    `MOST_DAYS_APART` days apart, as a PET/CT and an MR of one staging.

    Returns:
        The cases, sorted by patient and time.
    """
    studies: dict[tuple[tuple[str, ...], str], list[Named]] = defaultdict(list)
    for name, header in files.items():
        study = str(header.get("StudyInstanceUID", ""))
        studies[_patient(header, study), study].append((name, header))
    single = [
        Examination(patient, (study,), tuple(found), _days(found))
        for (patient, study), found in studies.items()
    ]
    single.sort(key=lambda item: (item.patient, item.days, item.studies))
    joined: list[Examination] = []
    for item in single:
        whole = _together(joined[-1], item) if joined else None
        joined = [*joined, item] if whole is None else [*joined[:-1], whole]
    return joined


def _patient(header: Header, study: str) -> tuple[str, ...]:
    """Return what tells a patient from others: the ID, else the name, else the study."""
    for keyword in ("PatientID", "PatientName"):
        if header.get(keyword):
            return (str(header.get("IssuerOfPatientID", "")), keyword, str(header[keyword]))
    return ("", "StudyInstanceUID", study)


def _days(found: Sequence[Named]) -> tuple[date, ...]:
    texts = {str(h.get("StudyDate") or h.get("SeriesDate") or "") for _, h in found}
    days = []
    for text in texts:
        try:
            days.append(datetime.strptime(text, "%Y%m%d").date())
        except ValueError:
            continue
    return tuple(sorted(days))


def _together(first: Examination, second: Examination) -> Examination | None:
    if first.patient != second.patient or first.kinds & second.kinds:
        return None
    whole = Examination(
        first.patient,
        (*first.studies, *second.studies),
        (*first.files, *second.files),
        tuple(sorted((*first.days, *second.days))),
    )
    return whole if whole.days_apart <= MOST_DAYS_APART else None


def numbered(found: Sequence[Examination], path: Path) -> dict[str, Examination]:
    """Give every case its number, the one that the record knows or the next, and keep them.

    Args:
        found: The cases.
        path: The file that keeps who is who.

    Raises:
        CohortError: If that file cannot be used.
        CrossModalError: If it cannot be written.
    """
    known = _read(path)
    by_study = {study: name for name, entry in known.items() for study in entry["studies"]}
    names: dict[str, Examination] = {}
    for item in found:
        old = [by_study[study] for study in item.studies if study in by_study]
        free = [name for name in old if name not in names]
        name = free[0] if free else _next_name({*known, *names})
        names[name] = item
    entries = {**known, **{name: _entry(item) for name, item in names.items()}}
    if entries != known:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, {"format": FORMAT_VERSION, "cases": entries})
    return dict(sorted(names.items()))


def _next_name(taken: Collection[str]) -> str:
    numbers = [int(name.rpartition("-")[2]) for name in taken]
    return f"case-{max(numbers, default=0) + 1:04d}"


def _entry(item: Examination) -> dict[str, list[str]]:
    keywords = ("PatientID", "PatientName", "PatientBirthDate", "StudyDate")
    said = {keyword: item.said(keyword) for keyword in keywords}
    folders = sorted({Path(name).parent.as_posix() for name, _ in item.files})
    return {"studies": list(item.studies), "folders": folders, **said}


def _read(path: Path) -> dict[str, dict[str, list[str]]]:
    try:
        content = json_value(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise _unusable(path, str(error)) from error
    try:
        cases = content["cases"]
        for name, entry in cases.items():
            int(name.rpartition("-")[2])
            list(entry["studies"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _unusable(path, f"{error} is missing or wrong") from error
    return dict(cases)


def _unusable(path: Path, reason: str) -> CohortError:
    msg = (
        f"Expected in {path} which case is which patient, but it cannot be read ({reason}). Restore"
        " it from a backup; without it, cases may get other numbers than labels and runs have."
    )
    return CohortError(msg)


def without_patient(text: str, header: Header, patterns: ModalityPatterns) -> str:
    """Take the patient's number and name, and dates, out of a description.

    Of the name every part is taken out that is no modality.
    """
    for keyword in ("PatientID", "PatientName"):
        parts = [part for part in re.split(r"[\W_]+", str(header.get(keyword, ""))) if part]
        if len("".join(parts)) >= _FEWEST_LETTERS:
            text = _without(text, r"[\W_]*".join(map(re.escape, parts)))
        if keyword == "PatientName":
            for part in parts:
                if len(part) >= _FEWEST_LETTERS and not patterns.match(part).is_image:
                    text = _without(text, re.escape(part))
    text = _DATE.sub(" ", text)
    return text if normalized_name(text) else ""


def _without(text: str, expression: str) -> str:
    whole = rf"(?<![^\W_])(?:{expression})(?![^\W_])"
    return re.sub(whole, " ", text, flags=re.IGNORECASE)
