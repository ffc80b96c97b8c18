"""What cases are called: names that can be used, the patient in a name, names from folders."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Sequence
from statistics import median

from MultimodalImagingLib.cohorts.cases import Problem
from MultimodalImagingLib.cohorts.modality_patterns import normalized_name

_FORBIDDEN = set('<>:"/\\|?*')
_MAX_LENGTH = 150


def usable_case_names(case_ids: Sequence[str]) -> tuple[tuple[str, ...], tuple[Problem, ...]]:
    """Split case names into those that can be used, and problems.

    Args:
        case_ids: Names as they were found, with repetitions.

    Returns:
        The usable names, sorted, and a problem for every other name. Names that differ only in
        upper and lower case are used, with a warning.
    """
    counts = Counter(case_ids)
    problems = [_repeated(name, n) for name, n in sorted(counts.items()) if n > 1]
    problems += [_unfit(name) for name in sorted(counts) if not _is_fit(name)]
    usable = tuple(name for name in sorted(counts) if counts[name] == 1 and _is_fit(name))
    alike: dict[str, list[str]] = defaultdict(list)
    for name in usable:
        alike[unicodedata.normalize("NFC", name).casefold()].append(name)
    problems += [_alike(names) for names in alike.values() if len(names) > 1]
    return usable, tuple(problems)


def _is_fit(name: str) -> bool:
    is_printable = all(character.isprintable() for character in name)
    has_good_ends = not name.startswith(".") and not name.endswith((".", " "))
    is_short = len(name.encode()) <= _MAX_LENGTH
    return is_printable and has_good_ends and is_short and not _FORBIDDEN & set(name)


def _repeated(name: str, n_found: int) -> Problem:
    message = (
        f"Expected every case once, found {n_found} of this name; none of them is used. Give every"
        " case a name of its own."
    )
    return Problem("error", message, name)


def _unfit(name: str) -> Problem:
    message = (
        f"Expected a case name that can be the name of a file, found {name!r}; the case is not"
        f" used. Rename it: no dot and no blank at its ends, none of"
        f" {' '.join(sorted(_FORBIDDEN))}, at most {_MAX_LENGTH} bytes."
    )
    return Problem("error", message, name)


def _alike(names: Sequence[str]) -> Problem:
    message = (
        f"The cases {' and '.join(names)} differ only in upper and lower case, which many computers"
        " cannot tell apart. Rename one of them."
    )
    return Problem("warning", message, names[0])


RULE = (
    "The patient is the case without a visit at its end (V1, M06, a date), or the column `patient`"
    " of a manifest."
)

_DATE = (
    r"((19|20)\d{2}[-_.]?(0[1-9]|1[0-2])[-_.]?(0[1-9]|[12]\d|3[01])"
    r"|(0[1-9]|[12]\d|3[01])[-_.](0[1-9]|1[0-2])[-_.](19|20)\d{2})(t?[-_]?\d{4,6})?"
)
_VISIT_AT_END = re.compile(
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
_MOST_CASES = 30


def patients_of_cases(case_ids: Sequence[str]) -> dict[str, str]:
    """Return the patient of every case by `RULE`; the case itself if nothing names a visit.

    Parts that name visits or number patients, such as `V1`, count as visits only if several
    patients are left, none with more than 30 cases.
    """
    sure = {case_id: patient_of_case(case_id) for case_id in case_ids}
    perhaps = {case_id: _without_visits(case_id) for case_id in case_ids}
    counts = Counter(perhaps.values())
    is_plausible = len(counts) > 1 and max(counts.values(), default=0) <= _MOST_CASES
    return perhaps if is_plausible else sure


def patient_of_case(case_id: str) -> str:
    """Return the patient of a case by the parts of `RULE` that name nothing but visits."""
    for pattern in _NUMBERED:
        found = pattern.match(case_id)
        if found:
            return found["patient"]
    return _VISIT_AT_END.sub("", case_id) or case_id


def _without_visits(case_id: str) -> str:
    name = patient_of_case(case_id)
    if name != case_id and any(pattern.match(case_id) for pattern in _NUMBERED):
        return name
    for pattern in _PERHAPS:
        found = pattern.match(name)
        if found:
            return _without_visits(found["patient"])
    return name if name == case_id else _without_visits(name)


Levels = tuple[str, ...]

_GROUP = re.compile(
    r"([a-z]*_)?(train(ing)?|val(idation)?|test(ing)?|dev|[hl]gg|folds?_?\d*|(data)?sets?_?\w?"
    r"|sites?_?\w*|cent(er|re)s?_?\w*|hospital_?\w*|scanner_?\w*|controls?|patients?|subjects?"
    r"|healthy|cases?|data|images?|internal|external|labell?ed|unlabell?ed|part_?\d+)(_[a-z]*)?"
)
_VISIT_NAME = re.compile(
    r"((19|20)\d\d_?\d\d_?\d\d|\d\d_\d\d_(19|20)\d\d|(19|20)\d\d|baseline|pre|post|follow_?up|fu"
    r"|v|tp|time_?point|t(?=\d)|ses(sion)?|visit|study|exam|scan|day|week|month|year)"
    r"(_?[a-z]?\d*)?(_.*)?"
)
_MOST_VISITS, _FEW_STUDIES = 10, 3


class UpperLevels:
    """Names cases by all their levels, and finds the level that is the patient.

    Attributes:
        sentence: How cases were named.
    """

    def __init__(self, found: Sequence[Levels]) -> None:
        """Look at the levels of all cases, from the one below the cohort to the case's own."""
        self._children: dict[Levels, list[str]] = defaultdict(list)
        for levels in found:
            self._children[levels[:-1]].append(levels[-1])
        self._children.pop((), None)
        self._is_patient = _are_patients(self._children)
        self._is_visit = not self._is_patient and _are_visits(self._children)
        self.sentence = self._sentence()

    def case_id(self, levels: Levels) -> str:
        """Return the name of a case: all levels; one that begins with that above stands for it."""
        names = [
            name
            for name, below in zip(levels, [*levels[1:], ""], strict=True)
            if not below.casefold().startswith(name.casefold())
        ]
        return "_".join(names)

    def patient(self, levels: Levels) -> str:
        """Return the patient of a case below others; empty if its own name has to tell."""
        if len(levels) == 1:
            return ""
        if self._is_visit:
            return levels[-1]
        if self._is_patient:
            return self.case_id(levels[:-1])
        return "_".join((*levels[:-1], patient_of_case(levels[-1])))

    def _sentence(self) -> str:
        if not self._children:
            return "Cases are named after their folders."
        upper, names = next(iter(self._children.items()))
        example = f"{'/'.join((*upper, names[0]))} is the case {self.case_id((*upper, names[0]))}"
        if self._is_patient:
            role = "the folder above a case is the patient"
        elif self._is_visit:
            role = "the folder above a case is a visit, the case's own the patient"
        else:
            above = ", ".join(sorted({"/".join(levels) for levels in self._children})[:6])
            role = f"the folders above cases are groups, not patients ({above})"
        return f"Cases are named after all their folders: {example}; {role}."


def _are_patients(children: dict[Levels, list[str]]) -> bool:
    """Tell whether the folders above the cases are patients, by their names, then by counts."""
    if not children:
        return False
    parents = [levels[-1] for levels in children]
    if all(_GROUP.fullmatch(normalized_name(name)) or _is_visit(name) for name in parents):
        return False
    below = [name for names in children.values() for name in names]
    pairs = [(p[-1], name) for p, names in children.items() for name in names]
    if all(name.casefold().startswith(parent.casefold()) for parent, name in pairs):
        return True
    n_below = median(len(names) for names in children.values())
    if all(_is_visit(name) for name in below) or len(set(below)) <= len(below) / 2:
        return n_below <= _MOST_VISITS
    return n_below <= _FEW_STUDIES and len(parents) > n_below


def _are_visits(children: dict[Levels, list[str]]) -> bool:
    """Tell whether the folders above are visits, with the same patients in several of them."""
    below = [name for names in children.values() for name in names]
    is_repeated = len(set(below)) < len(below)
    return bool(children) and is_repeated and all(_is_visit(levels[-1]) for levels in children)


def _is_visit(name: str) -> bool:
    return _VISIT_NAME.fullmatch(normalized_name(name)) is not None
