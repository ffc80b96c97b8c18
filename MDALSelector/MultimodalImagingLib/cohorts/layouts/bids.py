"""Layout: BIDS, `sub-<subject>/[ses-<session>/]<anat|pet|...>/sub-..._<suffix>.nii.gz`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from MultimodalImagingLib.cohorts.cases import FoundFile, Listing, Problem
from MultimodalImagingLib.cohorts.folders import images_in, is_folder, is_hidden, list_folder, stem

NAME = "BIDS"
LOOKED_FOR = "BIDS folders `sub-*/[ses-*/]anat` (or pet, ct, dwi, perf, swi)"

DATA_TYPES = ("anat", "ct", "dwi", "perf", "pet", "swi")
_MASK = re.compile(r"_(mask|dseg|seg|roi)$", re.IGNORECASE)


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


def fits(root: Path) -> bool:
    """Tell whether some subject has a folder of a data type."""
    return any(
        is_folder(session.folder(root) / name)
        for session in _sessions(root, [])
        for name in DATA_TYPES
    )


def list_cases(root: Path) -> Listing:
    """List the images of every subject and session, and masks in `derivatives`."""
    problems: list[Problem] = []
    sessions = list(_sessions(root, problems))
    pipelines = _derivatives(root, problems)
    files: list[FoundFile] = []
    for session in sessions:
        files += _files(session, session.folder(root), problems)
        for pipeline in pipelines:
            found = _files(session, session.folder(pipeline), problems)
            files += [file for file in found if _MASK.search(stem(file.path))]
    return Listing(
        NAME,
        root,
        tuple(session.case_id for session in sessions),
        tuple(files),
        tuple(problems),
        patient_ids={session.case_id: session.subject for session in sessions},
    )


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
    below = [path for path in list_folder(folder, problems) if is_folder(path)]
    return [folder, *(path for path in below if not is_hidden(path))]


def _files(session: _Session, folder: Path, problems: list[Problem]) -> list[FoundFile]:
    return [
        FoundFile(session.case_id, path, _name(path))
        for name in DATA_TYPES
        for path in images_in(folder / name, problems, case_id=session.case_id)
    ]


def _name(path: Path) -> str:
    """Drop subject and session, and put the contrast agent before the suffix (`ce-gd_T1w`)."""
    *entities, suffix = stem(path).split("_")
    kept = [item for item in entities if not item.startswith(("sub-", "ses-"))]
    agent = [item for item in kept if item.startswith("ce-")]
    return "_".join([*(item for item in kept if item not in agent), *agent, suffix])
