"""What the folders above cases stand for: patients, or groups such as `train` or `HGG`."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from statistics import median

from MultimodalImagingLib.cohorts.modality_patterns import normalized_name
from MultimodalImagingLib.cohorts.patient_ids import patient_of_case

Levels = tuple[str, ...]

_GROUP = re.compile(
    r"([a-z]*_)?(train(ing)?|val(idation)?|test(ing)?|dev|[hl]gg|folds?_?\d*|(data)?sets?_?\w?"
    r"|sites?_?\w*|cent(er|re)s?_?\w*|hospital_?\w*|scanner_?\w*|controls?|patients?|subjects?"
    r"|healthy|cases?|data|images?|internal|external|labell?ed|unlabell?ed|part_?\d+)(_[a-z]*)?"
)
_VISIT = re.compile(
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
    return _VISIT.fullmatch(normalized_name(name)) is not None
