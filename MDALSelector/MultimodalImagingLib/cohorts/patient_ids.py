"""Which patient a case belongs to, where the cohort does not say it."""

from __future__ import annotations

import re

RULE = (
    "The patient is the case without its last part if that names a visit: ses-2, visit2, tp1,"
    " week-04, day3, baseline, followup1; BraTS-GLI-00001-000 belongs to BraTS-GLI-00001."
)

_VISIT = re.compile(
    r"[ _.\-]+(ses(sion)?|visit|tp|time_?point|week|month|day|scan|exam|baseline|follow_?up|fu)"
    r"[ _.\-]*[a-z]?\d*$",
    re.IGNORECASE,
)
_NUMBERED = (
    re.compile(r"^(?P<patient>brats-[a-z]+-\d{5})-\d{3}$", re.IGNORECASE),
    re.compile(r"^(?P<patient>upenn-gbm-\d{5})_\d{2}$", re.IGNORECASE),
)


def patient_of_case(case_id: str) -> str:
    """Return the patient of a case by `RULE`; the case itself if nothing names a visit."""
    for pattern in _NUMBERED:
        found = pattern.match(case_id)
        if found:
            return found["patient"]
    return _VISIT.sub("", case_id) or case_id
