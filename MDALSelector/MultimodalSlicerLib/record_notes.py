"""What became of cases, told to their records beside the window, and again until that works.

Must not import Qt. Labels are saved whatever becomes of this; what a record could not be told is
kept as long as Slicer runs.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from slicer.i18n import tr as _

from MultimodalImagingLib.errors import CrossModalError
from MultimodalImagingLib.record.claims import ClaimedError
from MultimodalImagingLib.record.cohort_record import CohortRecord
from MultimodalImagingLib.record.locks import LockedError
from MultimodalSlicerLib.patience import Breathe, Result, waitFor

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Note:
    """What one record is to be told about one case."""

    record: CohortRecord
    caseID: str
    tell: Callable[[], object]


class RecordNotes:
    """Tells records in the order in which things happened, in one thread of its own."""

    def __init__(self) -> None:
        self._waiting: deque[_Note] = deque()
        self._worker = ThreadPoolExecutor(max_workers=1)
        self._problem = ("", "")

    @property
    def problem(self) -> str:
        """Which case a record could not be told about yet, and why; empty if it knows all."""
        case, error = self._problem
        text = _("The record could not be told about {case} yet: {error} This is tried again.")
        return text.format(case=case, error=error) if case else ""

    def add(self, record: CohortRecord, caseID: str, tell: Callable[[], object]) -> None:
        """Keep what a record is to be told; nothing is written yet.

        Args:
            record: The record.
            caseID: The case that it is about.
            tell: Writes it; touches no scene. What it raises as `CrossModalError` or `OSError` is
                tried again, but for a claim that is another reader's.
        """
        self._waiting.append(_Note(record, caseID, tell))

    def tell(self, breathe: Breathe) -> None:
        """Tell all that waits, with events handled meanwhile."""
        waitFor(self._worker.submit(self._tellAll), breathe)

    def inTurn(self, compute: Callable[[], Result], breathe: Breathe) -> Result:
        """Return what a function writes or reads after all that waits, which is told before.

        Raises:
            Exception: What the function raises.
        """
        self.tellLater()
        return waitFor(self._worker.submit(compute), breathe)

    def tellLater(self) -> None:
        """Tell all that waits, without waiting for that."""
        self._worker.submit(self._tellAll).add_done_callback(_logFailure)

    def _tellAll(self) -> None:
        """Tell all that waits; after an error no more of that case, or of a record in use."""
        kept: list[_Note] = []
        blocked: set[tuple[CohortRecord, str]] = set()
        problem = ("", "")
        try:
            while self._waiting:
                note = self._waiting.popleft()
                if blocked.intersection({(note.record, ""), (note.record, note.caseID)}):
                    kept.append(note)
                    continue
                try:
                    note.tell()
                except ClaimedError as error:
                    logger.warning("Case %s: %s", note.caseID, error)
                except (CrossModalError, OSError) as error:
                    logger.warning("The record was not told about %s: %s", note.caseID, error)
                    kept.append(note)
                    isInUse = isinstance(error, LockedError)
                    blocked.add((note.record, "" if isInUse else note.caseID))
                    problem = (note.caseID, str(error))
        finally:
            self._waiting.extendleft(reversed(kept))
            self._problem = problem


def _logFailure(done: Future[None]) -> None:
    """Log an error that nobody waits for: one that is not tried again."""
    error = done.exception()
    if error is not None:
        logger.error("A record was not told about a case", exc_info=error)
