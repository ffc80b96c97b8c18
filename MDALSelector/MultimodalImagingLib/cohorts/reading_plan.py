"""What is read next: cases to label, those that come back blinded, and third readings.

The choice is seeded: it depends on the case and the seed alone, so two computers agree on it.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from MultimodalImagingLib.cohorts.agreement import DEFAULT_LIMIT, Agreement, disagreeing
from MultimodalImagingLib.errors import CohortError, ModelError, UsageError
from MultimodalImagingLib.record.atomic_files import write_json
from MultimodalImagingLib.record.case_states import CaseStates, SavedLabel
from MultimodalImagingLib.record.claims import live_claims
from MultimodalImagingLib.record.cohort_record import CohortRecord
from MultimodalImagingLib.record.json_entry import config_from_json, config_to_json, read_json
from MultimodalImagingLib.record.readers import CONSENSUS, is_same_reader

FILE_NAME = "rereading.json"
DEFAULT_SHARE = 0.1
# The labels saved last do not come back yet: a reader would remember them.
PAUSE_CASES = 3


@dataclass(frozen=True)
class RereadingPlan:
    """Which labeled cases come back to be read again without the earlier label.

    Attributes:
        share: Share of the labeled cases, 0 (none) to 1.
        seed: Decides which.
        limit: Dice below which readings disagree, so that somebody else reads a third time; 0 for
            no third readings.
    """

    share: float = 0.0
    seed: int = 0
    limit: float = DEFAULT_LIMIT

    def __post_init__(self) -> None:
        """Refuse shares that are none."""
        if not (0.0 <= self.share <= 1.0 and 0.0 <= self.limit <= 1.0):
            msg = (
                f"Expected a share and a Dice of 0 to 1, got {self.share} and {self.limit}. Give 10"
                " % as 0.1."
            )
            raise UsageError(msg)


@dataclass(frozen=True)
class DueReading:
    """A case to be read again, without the earlier label and without a draft.

    Attributes:
        case_id: The case.
        is_third: Whether two readings disagree; else it was chosen by the plan.
    """

    case_id: str
    is_third: bool = False


def read_plan(record: CohortRecord) -> RereadingPlan:
    """Return the plan of a cohort; without one nothing comes back.

    Raises:
        CohortError: If the file is not what this program writes.
    """
    path = record.folder / FILE_NAME
    if not path.is_file():
        return RereadingPlan()
    try:
        return config_from_json(RereadingPlan, read_json(path), where="the plan of rereadings")
    except (ModelError, UsageError, OSError) as error:
        msg = (
            f"Expected which labels are read again in {path}, but the file cannot be read"
            f" ({error}). Move it away, and say again what is to be read again."
        )
        raise CohortError(msg) from error


def write_plan(record: CohortRecord, plan: RereadingPlan) -> None:
    """Keep a plan.

    Raises:
        CrossModalError: If it cannot be written.
    """
    write_json(record.folder / FILE_NAME, config_to_json(plan))


def labeling_order(suggested: Sequence[str], tests: Iterable[str], *, seed: int = 0) -> list[str]:
    """Put the cases of the evaluation set evenly between those that were suggested.

    So both are labeled at the same pace, and their readers cannot tell early cases from late ones.

    Args:
        suggested: Cases to train on, in the order of labeling, labeled ones too.
        tests: Cases of the evaluation set, labeled ones too.
        seed: Decides on the order of the evaluation set.
    """
    others = sorted(tests, key=lambda case: (_draw(case, seed), case))
    places = [((n + 0.5) / len(suggested), 0, case) for n, case in enumerate(suggested)]
    places += [((n + 0.5) / len(others), 1, case) for n, case in enumerate(others)]
    return [case for _, _, case in sorted(places)]


def due_reading(
    states: CaseStates,
    reader: str,
    plan: RereadingPlan,
    pairs: Iterable[Agreement] = (),
    *,
    but: Collection[str] = (),
    left: Collection[str] = (),
) -> DueReading | None:
    """Return the case that a reader shall read again now; `None` if none is due.

    Third readings come first: of cases in which two readings disagree, by somebody who has not read
    them. Then, as soon as the share of labeled cases asks for one more, the case that the seed puts
    first among those read once; a reader gets it again unless it is among the last three labels.

    Args:
        states: What the record knows.
        reader: Who reads.
        plan: What comes back.
        pairs: How well readings agree, as far as it was measured.
        but: Cases that are not meant, such as the open one.
        left: Cases that were opened for that and left: no others come in their place.
    """
    taken = {
        case
        for case, claim in live_claims(states.claims).items()
        if not is_same_reader(claim.reader, reader)
    }
    readings = {
        case: own
        for case, labels in states.labels.items()
        if (own := [label for key, label in labels.items() if _is_reading(key, label)])
    }
    free = [case for case in sorted(readings) if case not in {*taken, *but, *left}]
    for case in sorted(disagreeing(pairs, plan.limit)) if plan.limit else ():
        own = readings.get(case, [])
        is_new = not any(is_same_reader(label.reader, reader) for label in own)
        if case in free and len(own) == 2 and is_new:
            return DueReading(case, is_third=True)
    n_again = sum(len(own) > 1 or case in left for case, own in readings.items())
    if n_again >= int(plan.share * len(readings) + 1e-9):
        return None
    latest = sorted(readings, key=lambda case: max(label.at for label in readings[case]))
    recent = latest[-PAUSE_CASES:]
    open_cases = [case for case in free if len(readings[case]) == 1 and case not in recent]
    chosen = min(open_cases, key=lambda case: (_draw(case, plan.seed), case), default=None)
    return None if chosen is None else DueReading(chosen)


def _is_reading(key: str, label: SavedLabel) -> bool:
    """Tell whether a saved label is a segmentation by a reader."""
    return key != CONSENSUS and label.path.endswith(".seg.nrrd")


def _draw(case_id: str, seed: int) -> float:
    return zlib.crc32(f"{seed} {case_id}".encode()) / 2**32
