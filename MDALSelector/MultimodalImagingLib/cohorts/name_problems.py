"""What names leave open, one sentence per kind of name and not per file."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from MultimodalImagingLib.cohorts.cases import FoundFile, Problem
from MultimodalImagingLib.cohorts.file_names import twin_word
from MultimodalImagingLib.cohorts.modality_patterns import normalized_name
from MultimodalImagingLib.jobs.sentences import counted, listed

MAX_NAMES = 8


@dataclass(frozen=True)
class ShapedFile:
    """A file and the part of its name that it shares with the files of other cases."""

    file: FoundFile
    shape: str

    @property
    def path_name(self) -> str:
        """Name of the file with its suffix."""
        return self.file.path.name


_Twin = tuple[str, ShapedFile, ShapedFile]  # modality, the used file, the other


class NameProblems:
    """Collects what names leave open, and tells equal ones together."""

    def __init__(self) -> None:
        self._unknown: dict[tuple[str, tuple[str, ...]], list[ShapedFile]] = defaultdict(list)
        self._doubles: dict[tuple[str, tuple[str, ...]], list[list[ShapedFile]]] = defaultdict(list)
        self._twins: dict[str, list[_Twin]] = defaultdict(list)
        self._used: dict[str, list[ShapedFile]] = defaultdict(list)
        self._used_parts: set[str] = set()

    def add_unknown(self, file: ShapedFile, candidates: tuple[str, ...]) -> None:
        """Note a file that fits no modality, or several."""
        self._unknown[file.shape, candidates].append(file)

    def add_double(self, modality: str, files: Sequence[ShapedFile]) -> None:
        """Note files of one case that all fit a modality; none of them is used."""
        shapes = tuple(sorted(file.shape for file in files))
        self._doubles[modality, shapes].append(sorted(files, key=lambda file: file.path_name))

    def add_used(self, modality: str, used: ShapedFile, others: Sequence[ShapedFile]) -> None:
        """Note the image of a modality, and the case's other files of it, which are not used."""
        self._used[modality].append(used)
        self._used_parts |= set(normalized_name(used.file.name).split("_"))
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
    return Problem("info", message, _only_case(others), others[0].file.path)


def _mixed(modality: str, used: Sequence[ShapedFile]) -> Problem | None:
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
    return Problem("warning", message, _only_case(processed), processed[0].file.path)


def _double(modality: str, cases: Sequence[Sequence[ShapedFile]]) -> Problem:
    first = cases[0]
    names = ", ".join(file.path_name for file in first)
    where = "" if len(cases) == 1 else f" in each of {len(cases)} cases, such as"
    found = f"found {len(first)}{where or ':'} {names}"
    longest = max(first, key=lambda file: len(file.shape))
    is_one = [file.shape for file in first].count(longest.shape) == 1
    hint = longest.shape if is_one else normalized_name(longest.file.name)
    message = (
        f"Expected one {modality} image, {found}; none of them is used. Say"
        f" which it is with a pattern such as `{hint}={modality}`, or `{hint}=ignore`."
    )
    files = [file for found_files in cases for file in found_files]
    return Problem("error", message, _only_case(files), first[0].file.path)


def _unknown(shape: str, candidates: tuple[str, ...], files: Sequence[ShapedFile]) -> Problem:
    name, one = files[0].path_name, len(files) == 1
    n_cases = len({file.file.case_id for file in files})
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
    return Problem("warning", message, _only_case(files), files[0].file.path)


def _only_case(files: Sequence[ShapedFile]) -> str | None:
    cases = {file.file.case_id for file in files}
    return cases.pop() if len(cases) == 1 else None
