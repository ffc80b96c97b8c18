"""What the names of a cohort's files share, and what they leave open."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from MultimodalImagingLib.cohorts.cases import FoundFile, Problem
from MultimodalImagingLib.cohorts.modality_patterns import PatternMatch, normalized_name
from MultimodalImagingLib.jobs.texts import counted, listed

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
        kept = {
            part for part in own if self._counts[part] >= often or not any(map(str.isdigit, part))
        }
        runs = "_".join(part if part in kept else " " for part in parts).split(" ")
        return max((run.strip("_") for run in runs), key=len) or normalized_name(name)


def without_study(names: Sequence[str], match: Callable[[str], PatternMatch]) -> list[str]:
    """Take from the names of a case the study that all begin with, such as `flair_study_001`.

    Only if the rest of the names still tells at least two things apart.
    """
    parts = [_parts(name) for name in names]
    prefix = parts[0][: _n_shared(parts)] if parts else []
    foreign = [
        i
        for i, part in enumerate(prefix, start=1)
        if not (_SAYS_NOTHING.fullmatch(part) or match(part).candidates)
    ]
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


def _parts(name: str) -> list[str]:
    return normalized_name(name).split("_")


def _n_shared(names: Sequence[Sequence[str]]) -> int:
    """Count the first parts that all names share; every name keeps at least one of its own."""
    if len(names) < 2:
        return 0
    n_most = min(len(parts) for parts in names) - 1
    same = (len({parts[i] for parts in names}) == 1 for i in range(n_most))
    return next((i for i, is_same in enumerate(same) if not is_same), max(n_most, 0))


MAX_NAMES = 8


_Twin = tuple[str, FoundFile, FoundFile]  # modality, the used file, the other


class NameProblems:
    """Collects what names leave open, and tells equal ones together."""

    def __init__(self) -> None:
        self._unknown: dict[tuple[str, tuple[str, ...]], list[FoundFile]] = defaultdict(list)
        self._doubles: dict[tuple[str, tuple[str, ...]], list[list[FoundFile]]] = defaultdict(list)
        self._twins: dict[str, list[_Twin]] = defaultdict(list)
        self._used: dict[str, list[FoundFile]] = defaultdict(list)
        self._used_parts: set[str] = set()

    def add_unknown(self, file: FoundFile, candidates: tuple[str, ...]) -> None:
        """Note a file that fits no modality, or several."""
        self._unknown[file.shape, candidates].append(file)

    def add_double(self, modality: str, files: Sequence[FoundFile]) -> None:
        """Note files of one case that all fit a modality; none of them is used."""
        shapes = tuple(sorted(file.shape for file in files))
        self._doubles[modality, shapes].append(sorted(files, key=lambda file: file.path.name))

    def add_used(self, modality: str, used: FoundFile, others: Sequence[FoundFile]) -> None:
        """Note the image of a modality, and the case's other files of it, which are not used."""
        self._used[modality].append(used)
        self._used_parts |= set(normalized_name(used.name).split("_"))
        for other in others:
            self._twins[twin_word(other.shape)].append((modality, used, other))

    def problems(self) -> list[Problem]:
        """Return one problem per kind."""
        return [
            *(_double(modality, cases) for (modality, _), cases in self._doubles.items()),
            *(_unknown(shape, c, files) for (shape, c), files in self._unknown.items()),
            *(p for m, used in self._used.items() if (p := _mixed(m, used)) is not None),
            *self._twin_problems(),
        ]

    def _twin_problems(self) -> Iterator[Problem]:
        """Yield one problem per word that twins have, or per name if used files have it too."""
        groups: dict[str, list[_Twin]] = defaultdict(list)
        for word, twins in self._twins.items():
            for twin in twins:
                is_safe = word and word not in self._used_parts
                groups[word if is_safe else twin[2].shape].append(twin)
        for pattern, twins in groups.items():
            yield _twin(pattern, twins)


def _twin(pattern: str, twins: Sequence[_Twin]) -> Problem:
    names = {other.shape: (modality, used.shape) for modality, used, other in twins}
    first, (modality, _) = next(iter(names.items()))
    plain = listed(list(dict.fromkeys(used for _, used in names.values())), most=MAX_NAMES)
    message = (
        f"{listed(list(names), most=MAX_NAMES)}: {counted(len(twins), 'file')},"
        f" {'a twin' if len(names) == 1 else 'twins'}"
        f" of {plain}, not used. `--modality {pattern}=ignore` keeps this quiet, `--modality"
        f" {first}={modality}` uses such a file instead."
    )
    others = [other for *_, other in twins]
    return Problem("info", message, _only_case(others), others[0].path)


def _mixed(modality: str, used: Sequence[FoundFile]) -> Problem | None:
    """Say that some cases have only a processed file of a modality, others the plain one."""
    processed = [file for file in used if twin_word(file.shape)]
    plain = [file for file in used if not twin_word(file.shape)]
    if not processed or not plain:
        return None
    message = (
        f"Expected {modality} images that were processed alike, found `{processed[0].shape}` used"
        f" in {counted(len(processed), 'case')} and `{plain[0].shape}` in"
        f" {counted(len(plain), 'case')}. Give all cases the same, or leave these out with"
        f" `--modality {processed[0].shape}=ignore`."
    )
    return Problem("warning", message, _only_case(processed), processed[0].path)


def _double(modality: str, cases: Sequence[Sequence[FoundFile]]) -> Problem:
    first = cases[0]
    names = ", ".join(file.path.name for file in first)
    where = "" if len(cases) == 1 else f" in each of {len(cases)} cases, such as"
    found = f"found {len(first)}{where or ':'} {names}"
    longest = max(first, key=lambda file: len(file.shape))
    is_one = [file.shape for file in first].count(longest.shape) == 1
    hint = longest.shape if is_one else normalized_name(longest.place or longest.name)
    message = (
        f"Expected one {modality} image, {found}; none of them is used. Say"
        f" which it is with a pattern such as `{hint}={modality}`, or `{hint}=ignore`."
    )
    files = [file for found_files in cases for file in found_files]
    return Problem("error", message, _only_case(files), first[0].path)


def _unknown(shape: str, candidates: tuple[str, ...], files: Sequence[FoundFile]) -> Problem:
    name, one = files[0].path.name, len(files) == 1
    n_cases = len({file.case_id for file in files})
    these = name if one else f"{len(files)} files such as {name} ({counted(n_cases, 'case')})"
    left = "the file is not used" if one else "they are not used"
    if candidates:
        of = "name" if one else "names"
        message = (
            f"The {of} of {these} {'fits' if one else 'fit'} {' and '.join(candidates)}; {left}."
            f" Say which it is with a pattern such as `{shape}={candidates[0]}`."
        )
    else:
        message = (
            f"No pattern tells the modality of {these}; {left}. Add a pattern such as"
            f" `{shape}=NAME`, or `{shape}=ignore`."
        )
    return Problem("warning", message, _only_case(files), files[0].path)


def _only_case(files: Sequence[FoundFile]) -> str | None:
    cases = {file.case_id for file in files}
    return cases.pop() if len(cases) == 1 else None
