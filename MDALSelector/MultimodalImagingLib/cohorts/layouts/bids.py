"""Layout: BIDS, `sub-<subject>/[ses-<session>/]<anat|pet|...>/sub-..._<suffix>.nii.gz`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from MultimodalImagingLib.cohorts.cases import Fit, FolderLayout, FoundFile, Listing, Problem
from MultimodalImagingLib.cohorts.folders import images_in, is_folder, list_folder, stem, subfolders
from MultimodalImagingLib.cohorts.modality_patterns import LABEL, ModalityPatterns
from MultimodalImagingLib.jobs.texts import counted

DATA_TYPES = ("anat", "ct", "dwi", "perf", "pet", "swi")
_MASK = re.compile(
    r"(^|[_\-])(mask|msk|dseg|seg|segmentation|roi|labels?|lesions?|wmh|tumou?r|gtv[a-z]*|consensus)$"
    r"|_label-(?!.*_probseg$)",
    re.IGNORECASE,
)
_DERIVED, _DERIVED_LEVELS = "derivatives", 4


@dataclass(frozen=True)
class _Session:
    """One case: a subject, or one session of it; paths relative to the dataset."""

    subject: str
    session: str | None

    @property
    def case_id(self) -> str:
        return self.subject if self.session is None else f"{self.subject}_{self.session}"

    def folder(self, root: Path) -> Path:
        return root / self.subject if self.session is None else root / self.subject / self.session


def fit(root: Path, _patterns: ModalityPatterns) -> Fit:
    """Tell whether some subject has a folder of a data type."""
    has_data = any(
        is_folder(session.folder(root) / name)
        for session in _sessions(root, [])
        for name in DATA_TYPES
    )
    return Fit(Fit.DECLARED * has_data)


def list_cases(root: Path, patterns: ModalityPatterns) -> Listing:
    """List the images of every subject and session, and masks in `derivatives`."""
    problems: list[Problem] = []
    sessions = list(_sessions(root, problems))
    files: list[FoundFile] = []
    for session in sessions:
        files += _files(session, root, patterns, problems)
    derived = _derived_files(root, sessions, problems)
    masks = [file for file in derived if _MASK.search(stem(file.path))]
    if derived and not masks:
        problems.append(_unused_derivatives(root, derived))
    return Listing(
        LAYOUT.name,
        root,
        tuple(session.case_id for session in sessions),
        (*files, *masks),
        tuple(problems),
        patient_ids={session.case_id: session.subject for session in sessions},
        naming="Cases are named after subject and session; the subject is the patient.",
    )


def _unused_derivatives(root: Path, files: list[FoundFile]) -> Problem:
    files_were = counted(len(files), "file", "in derivatives/ was", "in derivatives/ were")
    message = (
        f"{files_were} not used, for example"
        f" {files[0].path.relative_to(root).as_posix()}. If they are label maps, choose them with"
        " `--labels derivatives` of `ciml-segmenter train`, or let their names end with `_mask`."
    )
    return Problem("info", message, None, files[0].path)


def _derived_files(
    root: Path, sessions: list[_Session], problems: list[Problem]
) -> list[FoundFile]:
    """List all images that `derivatives` holds of the sessions, at any place in their folders."""
    files: list[FoundFile] = []
    for pipeline in _derivatives(root, problems):
        for session in sessions:
            where = session.folder(pipeline)
            level = [where] if is_folder(where) else []
            for depth in range(_DERIVED_LEVELS):
                files += [
                    FoundFile(session.case_id, path, _name(path), folder=_DERIVED)
                    for folder in level
                    for path in images_in(folder, problems, case_id=session.case_id)
                ]
                below = [child for folder in level for child in subfolders(folder, problems)]
                is_subject = session.session is None and depth == 0
                level = [f for f in below if not (is_subject and f.name.startswith("ses-"))]
    return files


def _sessions(root: Path, problems: list[Problem]) -> Iterator[_Session]:
    for subject in _folders(root, "sub-", problems):
        names = [path.name for path in _folders(subject, "ses-", problems)]
        has_own = any(is_folder(subject / name) for name in DATA_TYPES)
        if has_own or not names:
            yield _Session(subject.name, None)
        for name in names:
            yield _Session(subject.name, name)


def _folders(folder: Path, prefix: str, problems: list[Problem]) -> list[Path]:
    return [
        path
        for path in list_folder(folder, problems)
        if path.name.startswith(prefix) and is_folder(path)
    ]


def _derivatives(root: Path, problems: list[Problem]) -> list[Path]:
    """Folders below which derived subjects lie: `derivatives` itself and every pipeline's."""
    folder = root / "derivatives"
    if not is_folder(folder):
        return []
    below = subfolders(folder, problems)
    return [folder, *(path for path in below if not path.name.startswith("sub-"))]


def _files(
    session: _Session, root: Path, patterns: ModalityPatterns, problems: list[Problem]
) -> list[FoundFile]:
    """List images directly in a session's folder, in those of data types, and in any of labels."""
    folder = session.folder(root)
    below = [path for path in subfolders(folder, problems) if not path.name.startswith("ses-")]
    labels = [path.name for path in below if patterns.match(path.name).target == LABEL]
    return [
        FoundFile(session.case_id, path, _name(path), folder=name if name in labels else "")
        for name in ("", *DATA_TYPES, *labels)
        for path in images_in(folder / name, problems, case_id=session.case_id)
    ]


def _name(path: Path) -> str:
    """Drop subject and session, and put the contrast agent before the suffix (`ce-gd_T1w`)."""
    *entities, suffix = stem(path).split("_")
    kept = [item for item in entities if not item.startswith(("sub-", "ses-"))]
    agent = [item for item in kept if item.startswith("ce-")]
    return "_".join([*(item for item in kept if item not in agent), *agent, suffix])


LAYOUT = FolderLayout(
    "BIDS",
    "BIDS folders `sub-*/[ses-*/]anat` (or pet, ct, dwi, perf, swi)",
    fit,
    list_cases,
    can_be_declared=True,
)
