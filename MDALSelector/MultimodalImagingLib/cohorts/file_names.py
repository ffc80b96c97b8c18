"""What the names of a cohort's files have in common: cases' prefixes, shapes, twins."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from MultimodalImagingLib.cohorts.modality_patterns import PatternMatch, normalized_name

# What processing adds to a name; the file without it is the plain one.
_TWIN_PART = re.compile(
    r"(?:_|^)(?:(un|de)?bias(corr)?|bfc|n[34]|corr(ected)?|(co)?reg(istered)?|aligned|r2s|warped|mni"
    r"|brain|bet|ss|(skull_?)?strip(ped)?|noskull|masked|norm(ali[sz]ed)?|znorm|zscore|harmonized"
    r"|res(ampled?|liced?)?|crop(ped)?|deface(d)?|(pre)?proc(essed)?|denoised|smooth(ed)?"
    r"|reorient(ed)?|copy)(?=_|$)"
)
_GLUED_TWIN = re.compile(r"(?<=[a-z0-9])(?:bias|reg|brain|bet|norm|resampled|res|proc|n4)$")
_SAYS_NOTHING = re.compile(r"[23]d|ax|axial|sag|sagittal|cor|coronal|tra|trans(verse)?|fs|obl")
_SUV = re.compile(r"suv")


class CohortNames:
    """The names of all image files of a cohort, to tell what a name shares with others.

    Attributes:
        n_cases: Number of cases.
    """

    def __init__(self, names: Mapping[str, Iterable[str]]) -> None:
        """Take the names of the files, without suffix, per case."""
        self._parts = {c: [_parts(name) for name in found] for c, found in names.items()}
        self.n_cases = len(self._parts)
        in_case = [{part for parts in found for part in parts} for found in self._parts.values()]
        self._counts = Counter(part for found in in_case for part in found)

    def shape(self, case_id: str, name: str) -> str:
        """Return the part of a name that other cases have too, as a pattern for it would say.

        Left out are parts that all files of the case have, and rare ones with a number.
        """
        parts = _parts(name)
        found = self._parts[case_id]
        shared = set.intersection(*map(set, found)) if len(found) > 1 else set()
        own = [part for part in parts if part not in shared] or parts
        often = max((self._counts[part] for part in own), default=0) / 2
        kept = {part for part in own if self._counts[part] >= often or not _has_digit(part)}
        runs = "_".join(part if part in kept else " " for part in parts).split(" ")
        return max((run.strip("_") for run in runs), key=len) or normalized_name(name)


def without_study(names: Sequence[str], match: Callable[[str], PatternMatch]) -> list[str]:
    """Take from the names of a case the study that all begin with, such as `flair_study_001`.

    Only if the rest of the names still tells at least two things apart.
    """
    parts = [_parts(name) for name in names]
    prefix = parts[0][: _n_shared(parts)] if parts else []
    foreign = [i for i, part in enumerate(prefix, start=1) if not _is_of_image(part, match)]
    if not foreign:
        return list(names)
    rests = ["_".join(found[foreign[-1] :]) for found in parts]
    targets = {match(rest).target for rest in rests} - {None}
    return rests if len(targets) > 1 else list(names)


def plain_one(names: Sequence[str]) -> int | None:
    """Find among names of one modality the plain one: `T1` beside `T1_bias`, SUV beside PET.

    Returns:
        Its index; `None` if no rule decides.
    """
    texts = [normalized_name(name) for name in names]
    bases = [without_twin(text) for text in texts]
    plain = [i for i, text in enumerate(texts) if bases[i] == text]
    if len(set(bases)) == 1 and len(plain) == 1:
        return plain[0]
    in_suv = [i for i in plain if _SUV.search(texts[i])]
    return in_suv[0] if len(in_suv) == 1 and len({bases[i] for i in plain}) == len(plain) else None


def without_twin(text: str) -> str:
    """Take from a normalized name what processing added to it."""
    short = _TWIN_PART.sub("", text).strip("_")
    return _GLUED_TWIN.sub("", short) or text


def twin_word(text: str) -> str:
    """Return what processing added to a normalized name, such as `bias`; empty if glued on."""
    found = _TWIN_PART.search(text)
    return found.group().strip("_") if found else ""


def _has_digit(part: str) -> bool:
    return any(character.isdigit() for character in part)


def _parts(name: str) -> list[str]:
    return normalized_name(name).split("_")


def _is_of_image(part: str, match: Callable[[str], PatternMatch]) -> bool:
    return bool(_SAYS_NOTHING.fullmatch(part) or match(part).candidates)


def _n_shared(names: Sequence[Sequence[str]]) -> int:
    """Count the first parts that all names share; every name keeps at least one of its own."""
    if len(names) < 2:
        return 0
    n_most = min(len(parts) for parts in names) - 1
    same = (len({parts[i] for parts in names}) == 1 for i in range(n_most))
    return next((i for i, is_same in enumerate(same) if not is_same), max(n_most, 0))
