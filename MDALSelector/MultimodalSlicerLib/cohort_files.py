"""Where the files of a cohort and of its record lie. Must not import Slicer or Qt."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from MultimodalImagingLib.cohorts.labelled_cases import is_labelled, label_that_counts
from MultimodalImagingLib.cohorts.reader_labels import reader_label_place
from MultimodalImagingLib.errors import CohortError, UsageError
from MultimodalImagingLib.images.stored_image import ImageFile
from MultimodalImagingLib.record.cohort_record import (
    CaseState,
    CohortRecord,
    StateEntry,
    default_record_folder,
    open_record,
)
from MultimodalImagingLib.record.readers import default_reader

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class FoundCase:
    """A case as it was found in a cohort.

    Attributes:
        case_id: The case.
        files: Image file per modality relative to the cohort; `#n` names the part of a 4-D file.
        label: Its label map, relative to the cohort; empty if it has none.
    """

    case_id: str
    files: Mapping[str, str] = field(default_factory=dict)
    label: str = ""


@dataclass(frozen=True)
class CohortFiles:
    """A cohort on disk.

    Attributes:
        path: Folder or CSV manifest.
        record_path: Folder of the record; empty for the usual place.
    """

    path: str
    record_path: str = ""

    @property
    def root(self) -> Path:
        """Folder that the paths of files are relative to."""
        path = Path(self.path)
        return path if path.is_dir() else path.parent

    @property
    def record(self) -> CohortRecord:
        """The record where it is or would be; nothing is created."""
        return CohortRecord(self._record_folder or default_record_folder(self.root))

    def states(self) -> dict[str, CaseState]:
        """Return the state of every case that the record has one of.

        Raises:
            CohortError: If the record cannot be read.
        """
        entries = self.record.read_states().entries
        return {case_id: entry.state for case_id, entry in entries.items()}

    def case_states(self, cases: Iterable[FoundCase]) -> dict[str, CaseState]:
        """Return the states of the record, and `LABELLED` for cases of which only a label tells.

        Raises:
            CohortError: If the record cannot be read.
        """
        states = self.states()
        for case in cases:
            state = states.get(case.case_id, CaseState.UNLABELLED)
            if state is CaseState.UNLABELLED and self.is_labelled(case, state):
                states[case.case_id] = CaseState.LABELLED
        return states

    def n_labelled(self, cases: Iterable[FoundCase]) -> int:
        """Count the cases that need no label any more.

        Raises:
            CohortError: If the record cannot be read.
        """
        states = self.states()
        return sum(self.is_labelled(case, states.get(case.case_id)) for case in cases)

    def change_states(self, changes: Mapping[str, CaseState]) -> None:
        """Keep new states in the record, which is created if needed.

        Raises:
            CohortError: If another process is writing.
            UsageError: If the record cannot be created.
        """
        self.open_record().change_states(changes)

    def state_entry(self, case_id: str) -> StateEntry | None:
        """Return what the record says about a case now; `None` if it says nothing.

        Raises:
            CohortError: If the record cannot be read.
        """
        return self.record.read_states().entries.get(case_id)

    def skip(self, case_id: str, reason: str, reader: str = "") -> None:
        """Note that a case is not to be labeled, and why.

        Raises:
            CohortError: If another process is writing.
            UsageError: If the record cannot be created.
        """
        self.open_record().change_states({case_id: CaseState.SKIPPED}, note=reason, reader=reader)

    def undo_skip(self, case_id: str) -> CaseState:
        """Give a skipped case the state back that it had before, and return that one.

        Raises:
            CohortError: If another process is writing, or if the case is not skipped any more.
            UsageError: If the record cannot be created.
        """
        return self.undo_state(case_id, CaseState.SKIPPED)

    def undo_state(self, case_id: str, state: CaseState) -> CaseState:
        """Give a case the state back that it had before this one, and return that one.

        Raises:
            CohortError: If another process is writing, or if the case has another state now.
            UsageError: If the record cannot be created.
        """
        return undo_state(self.open_record(), case_id, state)

    def open_record(self) -> CohortRecord:
        """Return the record, which is created if needed.

        Raises:
            UsageError: If it cannot be created.
        """
        return open_record(self.root, folder=self._record_folder)

    def images(self, case: FoundCase) -> dict[str, ImageFile]:
        """Return the image files of a case by modality."""
        return {modality: self._image_file(text) for modality, text in case.files.items()}

    def label(self, case: FoundCase, reader: str = "") -> ImageFile | None:
        """Return the labels of a case: those made here come before those that it came with.

        Args:
            case: The case.
            reader: Whose own labels come before those that count; empty for nobody's.
        """
        own = reader_label_place(case.case_id, reader, self.record) if reader else None
        if own is not None and own.is_file():
            return ImageFile(own)
        given = self._image_file(case.label) if case.label else None
        return label_that_counts(case.case_id, given, self.record, as_segmentation=True)

    def label_place(
        self, case: FoundCase, reader: str = "", *, is_blinded: bool = False
    ) -> Path | None:
        """Return the file in the record for the labels of a reader; its folder is created.

        `None` if there can be no record.

        Args:
            case: The case.
            reader: Who labels; empty for the login name.
            is_blinded: For a reading without the earlier label.
        """
        try:
            name, record = reader or default_reader(), self.open_record()
            place = reader_label_place(case.case_id, name, record, is_blinded=is_blinded).absolute()
            place.parent.mkdir(parents=True, exist_ok=True)
        except (UsageError, OSError) as error:
            logger.warning("The record has no place for labels: %s", error)
            return None
        return place

    def is_labelled(self, case: FoundCase, state: CaseState | None) -> bool:
        """Tell whether a case needs no label any more, given its state in the record."""
        given = self._image_file(case.label) if case.label else None
        return is_labelled(case.case_id, given, self.record, state)

    def latest_run(self) -> Path | None:
        """Return the folder of the last selection that was finished; `None` if there is none."""
        runs = self.record.folder / "runs"
        names = sorted(path.parent.name for path in runs.glob("*/selection.json"))
        return runs / names[-1] if names else None

    def latest_retrospect(self) -> Path | None:
        """Return the folder of the last retrospective that was finished; `None` without one."""
        from MDALSelectorLib.retrospect.run_files import latest_result

        return latest_result(self.record)

    @property
    def _record_folder(self) -> Path | None:
        return Path(self.record_path) if self.record_path else None

    def _image_file(self, text: str) -> ImageFile:
        name, separator, component = text.rpartition("#")
        if not separator or not component.isdigit():
            return ImageFile(self.root / text)
        return ImageFile(self.root / name, int(component))


def undo_state(record: CohortRecord, case_id: str, state: CaseState) -> CaseState:
    """Give a case the state back that it had before this one, and return that one.

    Raises:
        CohortError: If another process is writing, or if the case has another state now.
    """
    states = record.read_states()
    entry = states.entries.get(case_id)
    if entry is None or entry.state is not state:
        msg = f"Case {case_id} is not '{state}' any more: it is '{states.of(case_id)}' now."
        raise CohortError(msg)
    record.change_states({case_id: entry.former}, seen_revision=states.revision)
    return entry.former
