"""Which cases the models of a record have seen: they cannot test a model any more. No torch."""

from __future__ import annotations

from MultimodalImagingLib.jobs.environment import same_name
from MultimodalImagingLib.record.cohort_record import CohortRecord
from MultimodalImagingLib.record.json_entry import json_value
from MultimodalImagingLib.record.rounds import read_rounds

_DESCRIPTION = "model.json"
_SEEN = ("training_cases", "validation_cases", "seen_before")


def trained_cases(record: CohortRecord) -> dict[str, str]:
    """Return the cases that were trained or validated with, and the name of one such model each.

    Known are the rounds of the record, and the models in it; a description that cannot be read
    counts as none.

    Raises:
        CohortError: If the rounds cannot be read.
    """
    found = {same_name(case): entry.model for entry in read_rounds(record) for case in entry.labels}
    for path in sorted(record.models.glob(f"*/{_DESCRIPTION}")):
        try:
            content = json_value(path.read_bytes())
            cases = [str(name) for key in _SEEN for name in content.get(key, ())]
        except (OSError, ValueError, TypeError, AttributeError):
            continue
        found |= dict.fromkeys(map(same_name, cases), path.parent.name)
    return found
