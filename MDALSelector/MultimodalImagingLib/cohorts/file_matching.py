"""What every file of a case is: its name is matched with the table of patterns.

Which of several label files is the label map is said, or asked; it is never chosen in silence.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace

from MultimodalImagingLib.cohorts.cases import FoundFile, Listing, Problem
from MultimodalImagingLib.cohorts.file_names import CohortNames, without_study
from MultimodalImagingLib.cohorts.modality_patterns import (
    IGNORE,
    LABEL,
    ModalityPattern,
    ModalityPatterns,
    PatternMatch,
    normalized_name,
)
from MultimodalImagingLib.cohorts.modality_table import is_of_kind
from MultimodalImagingLib.jobs.texts import listed

_CONSENSUS = re.compile(r"(^|_)(consensus|staple|majority|fused|fusion)(_|$)")
_TISSUE = re.compile(
    r"(^|_)(dseg|probseg|aseg|aparc|synthseg|fastsurfer|tissues?|brain|parenchyma|gm|wm|csf)(_|$)"
)
_MOST_NAMED = 8

_Rule = Callable[[FoundFile, PatternMatch], bool]


class NameMatcher:
    """Knows the names of all files of a listing, so that what cases share is known.

    Attributes:
        declared: Modality per name that the layout declares.
    """

    def __init__(self, listing: Listing, patterns: ModalityPatterns) -> None:
        self._patterns = patterns
        self._own = ModalityPatterns(tuple(row for row in patterns.rows if not row.is_built_in))
        self._images = ModalityPatterns(tuple(r for r in patterns.rows if r.target != LABEL))
        names: dict[str, list[str]] = defaultdict(list)
        for file in listing.files:
            names[file.case_id].append(file.name)
        self._shapes = CohortNames(names)
        self._known: dict[tuple[str, str], PatternMatch] = {}
        self.declared = declared_modalities(listing.modalities, patterns)

    def match_case(self, files: Sequence[FoundFile]) -> list[tuple[FoundFile, PatternMatch]]:
        """Match the files of one case, with their shapes; the study's name says nothing."""
        named = [f for f in files if f.modality is None and not f.is_label and not f.kind]
        rests = without_study([file.name for file in named], self._match_name)
        rest = dict(zip((file.path for file in named), rests, strict=True))
        return [
            (
                replace(file, shape=self._shapes.shape(file.case_id, file.name)),
                self._match(file, rest.get(file.path, file.name)),
            )
            for file in files
        ]

    def _match(self, file: FoundFile, rest: str) -> PatternMatch:
        if file.is_label:
            return self._match_label(file)
        if file.kind:
            return self._match_series(file)
        if file.modality is None:
            return self._with_folder(file, self._match_name(rest, file.name))
        match = self._match_name(file.modality)
        if match.target in (LABEL, IGNORE):
            return match
        return replace(match, target=self.declared[file.modality], candidates=())

    def _match_label(self, file: FoundFile) -> PatternMatch:
        """Match a label map that the layout knows: a row for its folder may choose or ignore it."""
        folder = self._patterns.match(file.folder.replace("/", "_"))
        if folder.target == IGNORE or names_exactly(folder, file.folder):
            return folder
        return PatternMatch(LABEL, is_whole=True)

    def _match_series(self, file: FoundFile) -> PatternMatch:
        """Match a DICOM series by its description, of which only its kind of scanner counts.

        A row of the user's own comes first, and before others one for this series alone. No
        series is a label map, whatever its description says.
        """
        own = [row for row in self._own.rows if _fits(row, f"{file.place} {file.name}")]
        if own:
            alone = [row for row in own if not _fits(row, file.name)]
            return ModalityPatterns((*alone, *own)[:1]).match(f"{file.place} {file.name}")
        if file.left_out:
            return PatternMatch(IGNORE)
        found = self._images.match(file.name)
        if found.target == IGNORE:
            return found
        fitting = tuple(m for m in found.candidates if is_of_kind(m, file.kind))
        if fitting:
            target = fitting[0] if len(fitting) == 1 else None
            return replace(found, target=target, candidates=fitting)
        return PatternMatch(None) if file.kind == "MR" else self._patterns.match(file.kind)

    def _with_folder(self, file: FoundFile, own: PatternMatch) -> PatternMatch:
        """Match a file by its own name, and by the sub-folder of the case that it lies in.

        What is to be ignored is ignored. A folder of labels (`seg/T1.nii.gz`) makes labels of all
        files in it, except of one that a pattern names. Else the folder tells only what the name
        does not: `CT/0001.nii.gz`.
        """
        if not file.folder or own.target == IGNORE or names_exactly(own, file.name):
            return own
        folder = self._patterns.match(file.folder.replace("/", "_"))
        if folder.target in (LABEL, IGNORE):
            return folder
        return folder if own.target is None and not own.candidates else own

    def _match_name(self, name: str, whole: str = "") -> PatternMatch:
        """Match a name; rows of the user's own may also mean the whole one."""
        found = self._known.get((name, whole))
        if found is None:
            found = self._patterns.match(name)
            own = self._own.match(whole)
            if own.target is not None and not set(own.expressions) & set(found.expressions):
                found = own
            self._known[name, whole] = found
        return found

    def is_own(self, match: PatternMatch) -> bool:
        """Tell whether a row of the user's own decided."""
        return any(row.expression in match.expressions for row in self._own.rows)


def _fits(row: ModalityPattern, name: str) -> bool:
    return ModalityPatterns((row,)).match(name).target is not None


def declared_modalities(names: Sequence[str], patterns: ModalityPatterns) -> dict[str, str]:
    """Translate the names that a cohort declares (`T1Gd`) to those of the patterns (`T1c`).

    Names that no pattern knows stay as they are, and so do names that would become the same.

    Returns:
        Modality per declared name, in the same order.
    """
    matches = {name: patterns.match(name) for name in names}
    known = {
        name: match.target
        for name, match in matches.items()
        if match.target is not None and match.is_image
    }
    counts = Counter(known.values())
    return {name: known[name] if counts[known.get(name, "")] == 1 else name for name in names}


def choose_label(
    case_id: str, candidates: Sequence[tuple[FoundFile, PatternMatch]]
) -> tuple[FoundFile | None, Problem | None]:
    """Choose the label map by ordered rules; what is left out is named.

    First the one that a pattern names exactly; then all but maps of tissues; then those nearest to
    the images (directly in the case's folder before sub-folders and derivatives); the consensus of
    several raters; those whose whole name says that they are labels.

    Returns:
        The label map, `None` if there is none or several of equal standing; and what was not used
        and why, or what to decide.
    """
    left = list(candidates)
    nearest = min((f.depth for f, _ in left if not _is_tissue(f)), default=0)
    rules: tuple[tuple[str, _Rule], ...] = (
        (
            "which a pattern names",
            lambda file, match: any(names_exactly(match, n) for n in (file.name, file.folder)),
        ),
        ("no map of tissues", lambda file, _: not _is_tissue(file)),
        ("nearest to the images", lambda file, _: file.depth <= nearest),
        ("the consensus", lambda file, _: _is_consensus(file)),
        ("", lambda _, match: match.is_whole),
    )
    reason = ""
    for why, rule in rules:
        kept = [candidate for candidate in left if rule(*candidate)]
        if kept and len(kept) < len(left):
            left, reason = kept, why
    if len(left) > 1:
        return None, _asked(case_id, [file for file, _ in left])
    if not left:
        return None, None
    label = left[0][0]
    others = [file for file, _ in candidates if file is not label]
    return label, _left_out(case_id, label, others, reason) if others else None


def exact_pattern(name: str) -> str:
    """Return the pattern that fits a name, or a path of folders, wholly."""
    return re.escape(normalized_name(name.replace("/", "_")))


def names_exactly(match: PatternMatch, name: str) -> bool:
    """Tell whether the pattern that matched is the name itself, as messages advise to write it."""
    return bool(name) and match.expressions[:1] in (
        (exact_pattern(name),),
        (normalized_name(name.replace("/", "_")),),
    )


def telling_pattern(files: Sequence[FoundFile], *, number: int) -> str:
    """Return the pattern that fits one of several files of a case alone: its name, or its folder.

    Args:
        files: Files that patterns cannot tell apart.
        number: Which of them, counted from the shortest name.
    """
    names = sorted({exact_pattern(f.name) for f in files}, key=_by_length)
    folders = sorted({exact_pattern(f.folder) for f in files if f.folder}, key=_by_length)
    return (names if len(names) == len(files) or not folders else folders)[number]


def _by_length(text: str) -> tuple[int, str]:
    return len(text), text


def _is_tissue(file: FoundFile) -> bool:
    return _TISSUE.search(normalized_name(file.name)) is not None


def _is_consensus(file: FoundFile) -> bool:
    name = normalized_name(f"{file.folder.replace('/', '_')}_{file.name}")
    return _CONSENSUS.search(name) is not None


def _asked(case_id: str, files: Sequence[FoundFile]) -> Problem:
    message = (
        f"Expected one label map, found {len(files)}: {_listed(files)}; none of them is used."
        " Choose one with a pattern of its name, such as"
        f" `{telling_pattern(files, number=0)}=label`."
    )
    return Problem("warning", message, case_id, files[0].path)


def _left_out(case_id: str, label: FoundFile, others: Sequence[FoundFile], reason: str) -> Problem:
    why = f", {reason}" if reason else ""
    message = f"Further masks are not used: {_listed(others)}; the label is {label.shown}{why}."
    return Problem("info", message, case_id, others[0].path)


def _listed(files: Sequence[FoundFile]) -> str:
    return listed(sorted(file.shown for file in files), most=_MOST_NAMED)
