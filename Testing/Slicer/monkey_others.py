"""What others do at the record of a reader at random."""

from __future__ import annotations

from typing import Any

from desk import CASES, SEGMENTED
from monkey import Monkey

OTHER = "XY"  # another reader, in another window


class Others(Monkey):
    """Label, claim, replace files and set cases aside; and another record is chosen."""

    def allActions(self) -> dict[Any, float]:
        """Return the actions with their weights."""
        return {
            self.others_label: 0.5, self.others_claim: 0.6, self.others_overwrite: 0.7,
            self.set_aside: 0.5, self.begin_anew: 2.5,
        }  # fmt: skip

    def others_label(self) -> bool:
        """Somebody else saves a label."""
        from MultimodalImagingLib.cohorts.reader_labels import label_files, reader_label_place
        from MultimodalImagingLib.cohorts.saved_labels import new_saved_label, note_saved_label

        case, record = self.other(), self.labels.record
        sources = sorted(label_files(case, record).values())
        if case in SEGMENTED:
            sources.append(self.desk.results / case / "segmentation.seg.nrrd")
        if not sources:
            return False
        data, place = (
            self.random.choice(sources).read_bytes(),
            reader_label_place(case, OTHER, record),
        )

        def write() -> None:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(data)
            note_saved_label(record, new_saved_label(case, OTHER, place, record))

        self.desk.case.notes.inTurn(write, self.desk.case.breathe)
        self.labels.isWritten(place)
        return True

    def others_claim(self) -> bool:
        """Somebody else opens a case, or closes it."""
        from MultimodalImagingLib.record.claims import ClaimedError

        case, record, notes = self.other(), self.labels.record, self.desk.case.notes
        claim = record.read_states().claims.get(case)
        isOthers = claim is not None and claim.reader == OTHER
        change = record.release if isOthers else record.claim
        try:
            notes.inTurn(lambda: change(case, OTHER), self.desk.case.breathe)
        except ClaimedError:
            self.promise("the open case is claimed", self.isReader(claim.reader), claim)
        return True

    def others_overwrite(self) -> bool:
        """Somebody else replaces the file of the open labels: theirs is not lost."""
        import shutil

        import drive

        from MultimodalImagingLib.errors import CrossModalError
        from MultimodalSlicerLib.label_contents import areAlike, isEmpty, readContents

        memory = self.memory()
        sources = [self.desk.results / case / "segmentation.seg.nrrd" for case in SEGMENTED]
        source = self.random.choice(sources)
        isThere = memory.file is not None and memory.file.is_file()
        if not isThere or memory.file in self.labels._untold or self.case not in CASES:
            return False
        theirs = readContents(self.scene, source)
        known = (memory.contents, readContents(self.scene, memory.file))  # a draft saved as it was
        if any(areAlike(theirs, contents) for contents in known):
            return False
        button = self.ui.saveLabelButton
        if not self.reach(button) or isEmpty(self.desk.case.loader.segmentation()):
            return False
        own = memory.file.read_bytes()
        shutil.copyfile(source, memory.file)
        drive.click(button)
        self.isMeant(CrossModalError, "changed by someone else")
        isTheirs = memory.file.read_bytes() == source.read_bytes()
        self.promise("the label of somebody else is not replaced", isTheirs, memory.file)
        memory.file.write_bytes(own)
        return True

    def set_aside(self) -> bool:
        """Somebody else sets a case aside for testing."""
        case, record = CASES[2], self.labels.record
        if not record.folder.is_dir() or case in record.read_states().evaluation:
            return False
        notes = self.desk.case.notes
        notes.inTurn(lambda: record.set_evaluation({case: ""}, seed=0), self.desk.case.breathe)
        return True

    def begin_anew(self) -> bool:
        """Keep what is done from now on in another record, in which no case is labeled yet."""
        if not self.leave(self.desk.selector.onCloseCaseButton):
            return False
        number = len(list(self.desk.record.parent.glob("record*")))
        self.labels.isTold()
        self.desk.record = self.desk.record.with_name(f"record-{number}")
        self.desk.record.mkdir()
        self.prepareRecord(self.labels.record)
        self.labels.beginAnew()
        self.desk.know(self.desk.results, drafts=self.random.random() < 0.5)
        return True
