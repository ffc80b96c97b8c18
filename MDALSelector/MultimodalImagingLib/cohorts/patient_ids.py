"""Which patient a case belongs to, where the cohort does not say it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

RULE = (
    "The patient is the case without a visit at its end (V1, M06, a date), or the column `patient`"
    " of a manifest."
)

_DATE = (
    r"((19|20)\d{2}[-_.]?(0[1-9]|1[0-2])[-_.]?(0[1-9]|[12]\d|3[01])"
    r"|(0[1-9]|[12]\d|3[01])[-_.](0[1-9]|1[0-2])[-_.](19|20)\d{2})(t?[-_]?\d{4,6})?"
)
_VISIT = re.compile(
    r"[ _.\-]+(ses(sion)?|visit|tp|time(_?point)?|week|month|year|day|scan|exam|baseline|bl"
    r"|follow_?up|fu|(pre|post|intra)_?-?(op|rt|treatment|therapy|surgery))"
    r"[ _.\-]*([a-z]?\d*([-_.]\d{1,2})?|" + _DATE + ")$",
    re.IGNORECASE,
)
_NUMBERED = (
    re.compile(r"^(?P<patient>brats-[a-z]+-\d{5})-\d{3}$", re.IGNORECASE),
    re.compile(r"^(?P<patient>(upenn-gbm-\d{5}|ucsd-ptgbm-\d{4}))_\d{2}$", re.IGNORECASE),
)
# These may also number patients; they count only if they leave several patients.
_PERHAPS = (
    re.compile(r"^(?P<patient>.+?)[ _.\-]+(v|t|m|y|d)\d{1,4}$", re.IGNORECASE),
    re.compile(r"^(?P<patient>.+?)[ _.\-]+" + _DATE + "$", re.IGNORECASE),
    re.compile("^" + _DATE + r"[ _.\-]+(?P<patient>.+)$", re.IGNORECASE),
    re.compile(
        r"^(?P<patient>(patient|pat|subject|subj|sub|p|s)[ _\-]?\d{2,})[-_]\d{1,2}$", re.IGNORECASE
    ),
)
_MOST_VISITS = 30


def patients_of_cases(case_ids: Sequence[str]) -> dict[str, str]:
    """Return the patient of every case by `RULE`; the case itself if nothing names a visit.

    Parts that name visits or number patients, such as `V1`, count as visits only if several
    patients are left, none with more than 30 cases.
    """
    sure = {case_id: patient_of_case(case_id) for case_id in case_ids}
    perhaps = {case_id: _without_visits(case_id) for case_id in case_ids}
    counts = Counter(perhaps.values())
    is_plausible = len(counts) > 1 and max(counts.values(), default=0) <= _MOST_VISITS
    return perhaps if is_plausible else sure


def patient_of_case(case_id: str) -> str:
    """Return the patient of a case by the parts of `RULE` that name nothing but visits."""
    for pattern in _NUMBERED:
        found = pattern.match(case_id)
        if found:
            return found["patient"]
    return _VISIT.sub("", case_id) or case_id


def _without_visits(case_id: str) -> str:
    name = patient_of_case(case_id)
    if name != case_id and any(pattern.match(case_id) for pattern in _NUMBERED):
        return name
    for pattern in _PERHAPS:
        found = pattern.match(name)
        if found:
            return _without_visits(found["patient"])
    return name if name == case_id else _without_visits(name)
