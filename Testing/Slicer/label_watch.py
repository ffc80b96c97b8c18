"""What the files of a record must hold while somebody labels; read without Slicer, too."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from desk import Desk


@dataclass(frozen=True)
class Labels:
    """Labels as they are in the scene.

    Attributes:
        case: Their case; empty if none is open.
        file: Where they belong; `None` without a place.
        contents: What they hold.
        masks: Voxels on the grid of the case by name of the segment; empty without images.
        taken: The kept work that they were replaced by.
    """

    case: str = ""
    file: Path | None = None
    contents: tuple[Any, ...] = ()
    masks: dict[str, Any] = field(default_factory=dict)
    taken: Path | None = None


class LabelWatch:
    """Knows which file must hold what, and that no other file changes."""

    def __init__(self, desk: Desk, promise: Callable[..., None]) -> None:
        self._desk, self._promise = desk, promise
        self._files: dict[Path, str] = {}
        self._mayChange: set[Path] = set()
        self._told: dict[Path, str] = {}  # by checksum, what the record must know of
        self._untold: set[Path] = set()  # written by Slicer's Save
        self._left: dict[Path, str] = {}  # work that crashed sessions left behind
        self._mayGo: set[Path] = set()

    @property
    def record(self) -> Any:
        """The record of the cohort."""
        from MultimodalImagingLib.record.cohort_record import CohortRecord

        return CohortRecord(self._desk.record)

    # --- around every action ---

    def begin(self) -> None:
        """Before an action."""
        self._mayChange.clear()
        self._files = self._now()
        session = self._desk.case.session
        self._mayGo = set() if session is None else {session.kept._taken}

    def end(self) -> None:
        """After an action: only what was said to be written has changed."""
        now = self._now()
        changed = {path for path in now if self._files.get(path) != now[path]}
        gone = set(self._files) - set(now)
        if now:
            self._promise("nobody else's file changes", changed <= self._mayChange, changed)
            self._promise("no saved label is gone", not gone - self._mayChange, gone)
        for path, sha in list(self._left.items()):
            isThere = path.is_file() and _sha(path) == sha
            if not isThere and path in self._mayGo:
                del self._left[path]
            else:
                self._promise("what a crash left behind stays until it is answered", isThere, path)

    def mayChange(self, file: Path) -> None:
        """Note that the action that goes on writes a file, or deletes it."""
        self._mayChange.add(file)

    def mayGo(self, file: Path) -> None:
        """Note that the user gave up work that was left behind."""
        self._mayGo.add(file)

    def leaveBehind(self, file: Path) -> None:
        """Note work that a crash left behind."""
        self._left[file] = _sha(file)

    def beginAnew(self) -> None:
        """Another record is used from now on; the files of the one before stay as they are."""
        self._told.clear()
        self._untold.clear()

    def _now(self) -> dict[Path, str]:
        folders = [folder / "labels" for folder in self._desk.record.parent.glob("record*")]
        kinds = ("*.seg.nrrd", "*.class.json")
        found = [path for folder in folders for kind in kinds for path in folder.rglob(kind)]
        return {path: _sha(path) for path in found if not path.name.startswith(".")}

    # --- labels ---

    def remember(self, reader: str) -> Labels:
        """Return what the open labels are now."""
        from MultimodalImagingLib.cohorts.reader_labels import reader_label_place
        from MultimodalSlicerLib.label_contents import contentsOf

        owner = self._desk.case
        node, session, case = owner.loader.segmentation(), owner.session, owner.loader.caseID
        if node is None or session is None:
            return Labels(case)
        file = reader_label_place(case, reader, self.record, is_blinded=session.isBlinded)
        return Labels(case, file, contentsOf(node), self._masks(node), session.kept._taken)

    def isSaved(self, labels: Labels, *, isTold: bool = True) -> None:
        """Look whether labels are in their file, voxel by voxel, and in the record."""
        from MultimodalSlicerLib.label_contents import areAlike, readContents

        file = labels.file
        assert file is not None
        self._promise("a save writes a file", file.is_file(), file)
        there = readContents(self._desk.case._scene, file)
        self._promise("the file holds the labels", areAlike(there, labels.contents), file)
        self._sameVoxels(file, labels)
        self.mayChange(file)
        self._mayGo.add(labels.taken)
        if isTold:
            self._told[file] = _sha(file)
            self._untold.discard(file)
            self.isTold()
        else:
            self._untold.add(file)

    def isLeft(self, labels: Labels) -> None:
        """After a case was closed without a save: what Slicer's Save has written is told."""
        if labels.file in self._untold and labels.file is not None and labels.contents:
            self._untold.discard(labels.file)
            self._told[labels.file] = _sha(labels.file)
        self._mayGo.add(labels.taken)
        self.isTold()

    def forgetUntold(self) -> None:
        """The labels that Slicer's Save wrote are deleted in the scene: nobody tells of them."""
        for file in self._untold:
            self._told.pop(file, None)
        self._untold.clear()

    def isWritten(self, file: Path) -> None:
        """Another reader wrote a file and told the record."""
        self.mayChange(file)
        self._told[file] = _sha(file)

    def isTold(self) -> None:
        """Look whether the record knows every saved label as it is on the disk."""
        owner = self._desk.case
        states = owner.notes.inTurn(self.record.read_states, owner.breathe)
        self._promise("the record could be told", not owner.notes.problem, owner.notes.problem)
        labels = [one for own in states.labels.values() for one in own.values()]
        known = {self.record.folder / one.path: one for one in labels}
        for file, sha in self._told.items():
            if file in self._untold:
                continue
            self._promise("a saved label is as it was saved", _sha(file) == sha, file)
            one = known.get(file)
            isKnown = one is not None and one.sha256 == sha
            self._promise("the record knows the label", isKnown, (file, one))
            state = states.of(one.case_id) if one is not None else None
            self._promise("its case is labeled", state == "labelled", (file, state))

    def isOpened(self, reader: str) -> None:
        """Look whether a case that was opened begins with the reader's own label."""
        from MultimodalSlicerLib.label_contents import areAlike, readContents

        owner = self._desk.case
        isReader = owner.session.reader.casefold() == reader.casefold()
        self._promise("the reader is who was named", isReader, reader)
        file = self.remember(reader).file
        if file is not None and file.is_file():
            own = readContents(owner._scene, file)
            isOwn = areAlike(self.remember(reader).contents, own)
            self._promise("a case opens with its own label", isOwn, file)
        if owner.loader.segmentation() is not None:
            self._promise("nothing is unsaved at first", not owner.hasUnsavedChanges())

    def _masks(self, node: Any) -> dict[str, Any]:
        import slicer

        images = list(self._desk.case.loader.volumes().values())
        segmentation = node.GetSegmentation()
        identities = segmentation.GetSegmentIDs()
        names = [segmentation.GetSegment(identity).GetName() for identity in identities]
        if not images or len(set(names)) < len(names):
            return {}
        read = slicer.util.arrayFromSegmentBinaryLabelmap
        pairs = zip(names, identities, strict=True)
        return {name: np.array(read(node, one, images[0])) > 0 for name, one in pairs}

    def _sameVoxels(self, file: Path, labels: Labels) -> None:
        """Compare with what another program reads."""
        import SimpleITK as sitk  # noqa: N813

        from MultimodalImagingLib.images.label_names import read_segments

        drawn = {name: mask for name, mask in labels.masks.items() if mask.any()}
        if not drawn:
            return
        on = sitk.ReadImage(str(self._desk.cohort / labels.case / "pet.nii.gz"))
        image = sitk.ReadImage(str(file))
        nLayers = image.GetNumberOfComponentsPerPixel()
        layers = [image if nLayers == 1 else sitk.VectorIndexSelectionCast(image, n)
                  for n in range(nLayers)]  # fmt: skip
        nearest = sitk.sitkNearestNeighbor
        arrays = [sitk.GetArrayFromImage(sitk.Resample(one, on, sitk.Transform(), nearest))
                  for one in layers]  # fmt: skip
        found = {one.label.name: arrays[one.layer] == one.value for one in read_segments(file)}
        wrong = {
            name: int(np.sum(found[name] != mask)) if name in found else "absent"
            for name, mask in drawn.items()
            if name not in found or not np.array_equal(found[name], mask)
        }
        self._promise("another program reads the same voxels", not wrong, wrong)


def _sha(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
