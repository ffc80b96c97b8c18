"""Work that nobody has saved yet, kept in the record until it is saved or given up.

Must not import Qt. Every session writes a file of its own, so that what a crash left behind stays
until the user has decided about it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import count
from pathlib import Path

import slicer
from slicer.i18n import tr as _

from MultimodalImagingLib.cohorts.reader_labels import folder_name, plain_name
from MultimodalImagingLib.errors import CrossModalError
from MultimodalImagingLib.record.atomic_files import atomic_path, explained_writing
from MultimodalImagingLib.record.cohort_record import CohortRecord
from MultimodalSlicerLib.label_contents import writePlainly
from MultimodalSlicerLib.patience import Breathe
from MultimodalSlicerLib.segment_nodes import segmentationFromFile

_SUFFIX = ".seg.nrrd"
_NUMBER = "~"  # no name of a reader has it, and no number follows it in a blinded one


class Autosave:
    """The unsaved work of one reader at one case; that of a blinded reading is another's.

    Attributes:
        folder: Where it is kept.
    """

    def __init__(self, record: CohortRecord, caseID: str, key: str) -> None:
        """Know what is there from before; nothing is written.

        Args:
            record: The record of the cohort.
            caseID: The case.
            key: The reader, with the mark of a blinded reading if it is one.
        """
        self.folder = record.autosave / folder_name(caseID)
        self._name = plain_name(key)
        self._left = tuple(self._files())
        self._own: Path | None = None
        self._taken: Path | None = None

    @property
    def leftBehind(self) -> Path | None:
        """The newest work that was there before this session; `None` if there is none."""
        files = [file for file in self._left if file != self._taken and file.is_file()]
        return max(files, key=lambda file: file.stat().st_mtime, default=None)

    def write(self, node: slicer.vtkMRMLSegmentationNode, breathe: Breathe) -> Path:
        """Write labels as they are now, in place of what this session wrote before.

        Args:
            node: The labels; their own file and their changes since stay as they are known.
            breathe: Handles events, but none of the user's.

        Raises:
            CrossModalError: If the file cannot be written. What was there is then unchanged.
        """
        advice = _("Your labels are still in the scene. Save them, or free space.")
        with explained_writing(str(self.folder), advice):
            self.folder.mkdir(parents=True, exist_ok=True)
            file = self._own or next(file for file in self._names() if not file.exists())
            with atomic_path(file) as temporary:
                if not writePlainly(node, temporary, breathe):
                    text = _("{file} cannot be written. {advice}")
                    raise CrossModalError(text.format(file=file, advice=advice))
        self._own = file
        return file

    def takeOver(self, node: slicer.vtkMRMLSegmentationNode) -> None:
        """Replace labels by the work that was left behind; its file stays until they are saved.

        What this session has written stays too, and is offered next.

        Raises:
            ValueError: If it is not there, or cannot be read. The labels are then unchanged.
        """
        file = self.leftBehind
        if file is None:
            raise ValueError(_("The work that was kept is not there any more."))
        with segmentationFromFile(node.GetScene(), file) as copy:
            if copy is None:
                text = _("The work in {file} cannot be read. Move that file to a safe place.")
                raise ValueError(text.format(file=file))
            with slicer.util.NodeModify(node):
                node.GetSegmentation().DeepCopy(copy.GetSegmentation())
        self._taken = file
        if self._own is not None:
            self._left, self._own = (*self._left, self._own), None

    def giveUp(self) -> None:
        """Delete the work that was left behind and is offered, as the user wants.

        Raises:
            OSError: If it cannot be deleted.
        """
        self._delete(self.leftBehind)

    def remove(self) -> None:
        """Delete what this session wrote or took over: it is saved, or the user wants to lose it.

        Raises:
            OSError: If it cannot be deleted.
        """
        self._delete(self._own)
        self._delete(self._taken)
        self._own = self._taken = None

    def _delete(self, file: Path | None) -> None:
        if file is not None:
            file.unlink(missing_ok=True)
        if self.folder.is_dir() and not any(self.folder.iterdir()):
            self.folder.rmdir()

    def _names(self) -> Iterator[Path]:
        for number in count():
            end = f"{_NUMBER}{number}" if number else ""
            yield self.folder / f"{self._name}{end}{_SUFFIX}"

    def _files(self) -> Iterator[Path]:
        if not self.folder.is_dir():
            return
        for file in sorted(self.folder.iterdir()):
            name = file.name.removesuffix(_SUFFIX)
            begin, end = name[: len(self._name)], name[len(self._name) :]
            isNumbered = end.startswith(_NUMBER) and end.removeprefix(_NUMBER).isdigit()
            isOurs = file.name.endswith(_SUFFIX) and (not end or isNumbered)
            if isOurs and begin.casefold() == self._name.casefold():
                yield file


def timeOf(file: Path) -> str:
    """Say when a file was written, by the clock of this computer."""
    return datetime.fromtimestamp(file.stat().st_mtime).strftime("%Y-%m-%d %H:%M")
