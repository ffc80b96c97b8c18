"""The first thing to say about a cohort: modalities that most of its cases have and lose."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from MultimodalImagingLib.cohorts.case_assembly import FileMatch
from MultimodalImagingLib.cohorts.cases import Case
from MultimodalImagingLib.cohorts.modality_patterns import IGNORE, LABEL

# With one modality left, unknown names in half of the cases may well be the others.
FEWEST_MODALITIES = 2


def left_out_sentence(cases: Sequence[Case], matches: Sequence[FileMatch]) -> str:
    """Say which modalities files were taken for and no case, or few, could use.

    Args:
        cases: The cases that a cohort goes on with.
        matches: What every file was taken for.

    Returns:
        One or two sentences that end with what to do; empty if no main modality drops out.
    """
    used = Counter(modality for case in cases for modality in case.images)
    lost = _lost(used, matches)
    unknown = [] if len(used) - len(lost) >= FEWEST_MODALITIES else _unknown(len(cases), matches)
    if not lost and not unknown:
        return ""
    total = len({match.file.case_id for match in matches})
    parts = [f"{m} ({n - used[m]} of {total} cases)" for m, n in lost.items()]
    parts += [f"files named `{shape}` ({n} of {total} cases)" for shape, n in unknown]
    rest = ", ".join(sorted(name for name in used if name not in lost)) or "what is left"
    return (
        f"Not used although most cases have it: {', '.join(parts)}; the cohort goes on with {rest}"
        " only. The problems below say why; say which files are meant with --modality PATTERN=NAME,"
        " or go on if this is intended."
    )


def _lost(used: Counter[str], matches: Sequence[FileMatch]) -> dict[str, int]:
    """Return the number of cases with a file of each modality that fewer than half can use."""
    found = Counter(
        {
            (match.file.case_id, modality)
            for match in matches
            for modality in match.candidates or (match.target,)
            if modality not in (None, LABEL, IGNORE)
        }
    )
    n_cases = Counter(modality for _, modality in found if modality is not None)
    n_all = len({match.file.case_id for match in matches})
    return {m: n for m, n in sorted(n_cases.items()) if 2 * n >= n_all and 2 * used[m] < n}


def _unknown(n_cases: int, matches: Sequence[FileMatch]) -> list[tuple[str, int]]:
    shapes = {(m.file.case_id, m.shape) for m in matches if m.target is None and not m.candidates}
    counts = Counter(shape for _, shape in shapes)
    return sorted((shape, n) for shape, n in counts.items() if 2 * n >= max(n_cases, 2))
