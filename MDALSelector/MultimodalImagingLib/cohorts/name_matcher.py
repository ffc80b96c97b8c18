"""Matches the names of a cohort's files with the table of patterns, case by case."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace

from MultimodalImagingLib.cohorts.cases import FoundFile, Listing
from MultimodalImagingLib.cohorts.file_names import CohortNames, without_study
from MultimodalImagingLib.cohorts.label_choice import names_exactly
from MultimodalImagingLib.cohorts.modality_patterns import (
    IGNORE,
    LABEL,
    ModalityPatterns,
    PatternMatch,
)
from MultimodalImagingLib.cohorts.name_problems import ShapedFile


class NameMatcher:
    """Knows the names of all files of a listing, so that what cases share is known.

    Attributes:
        declared: Modality per name that the layout declares.
    """

    def __init__(self, listing: Listing, patterns: ModalityPatterns) -> None:
        self._patterns = patterns
        self._own = ModalityPatterns(tuple(row for row in patterns.rows if not row.is_built_in))
        self._shapes = CohortNames(_names_by_case(listing))
        self._known: dict[tuple[str, str], PatternMatch] = {}
        self.declared = declared_modalities(listing.modalities, patterns)

    def match_case(self, files: Sequence[FoundFile]) -> list[tuple[FoundFile, PatternMatch]]:
        """Match the files of one case; the study's name, which all have, says nothing."""
        named = [file for file in files if file.modality is None and not file.is_label]
        rests = without_study([file.name for file in named], self._match_name)
        rest = dict(zip((file.path for file in named), rests, strict=True))
        return [(file, self._match(file, rest.get(file.path, file.name))) for file in files]

    def _match(self, file: FoundFile, rest: str) -> PatternMatch:
        if file.is_label:
            return self._match_label(file)
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

    def shaped(self, file: FoundFile) -> ShapedFile:
        """Return a file with the part of its name that other cases have too."""
        return ShapedFile(file, self._shapes.shape(file.case_id, file.name))

    def is_own(self, match: PatternMatch) -> bool:
        """Tell whether a row of the user's own decided."""
        return any(row.expression in match.expressions for row in self._own.rows)


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
        if match.target is not None and match.target not in (LABEL, IGNORE)
    }
    counts = Counter(known.values())
    return {name: known[name] if counts[known.get(name, "")] == 1 else name for name in names}


def _names_by_case(listing: Listing) -> dict[str, list[str]]:
    """Return the names of the files of every case, as patterns see them."""
    names: dict[str, list[str]] = defaultdict(list)
    for file in listing.files:
        names[file.case_id].append(file.name)
    return names
