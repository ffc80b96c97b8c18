"""What labeling took: minutes with and without a draft, and how much of the drafts was changed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import mean, median

from MultimodalImagingLib.record.case_states import SavedLabel
from MultimodalImagingLib.record.readers import CONSENSUS


@dataclass(frozen=True)
class Effort:
    """What the labels of one kind took.

    Attributes:
        n_labels: How many labels were timed.
        mean_min: Mean time that a case was open, minutes; `None` if none was timed.
        mean_drawing_min: Mean time of drawing in it, minutes; `None` if none was timed.
    """

    n_labels: int
    mean_min: float | None
    mean_drawing_min: float | None


@dataclass(frozen=True)
class LabelingEffort:
    """What labeling took.

    Attributes:
        from_draft: Labels that began as a draft.
        from_empty: Labels that began empty.
        n_compared: Labels whose draft was compared with them.
        median_dice: Median Dice between draft and label; `None` if none was compared.
        median_changed: Median number of voxels that were changed; `None` if none was compared.
        n_unchanged: How many drafts were saved as they were.
    """

    from_draft: Effort
    from_empty: Effort
    n_compared: int
    median_dice: float | None
    median_changed: float | None
    n_unchanged: int

    @property
    def sentences(self) -> tuple[str, ...]:
        """What it says, in words and numbers; nothing where nothing was measured."""
        texts = []
        for effort, how in ((self.from_draft, "with a draft"), (self.from_empty, "without one")):
            if effort.mean_min is not None and effort.mean_drawing_min is not None:
                texts.append(
                    f"{_duration(effort.mean_min)} per case {how}"
                    f" ({_duration(effort.mean_drawing_min)} of drawing; {effort.n_labels} timed)"
                )
        if self.median_dice is not None and self.median_changed is not None:
            texts.append(
                f"of a draft, {self.median_changed:,.0f} voxels were changed (median of"
                f" {self.n_compared}; Dice of draft and label {self.median_dice:.3f};"
                f" {self.n_unchanged} saved unchanged)"
            )
        return tuple(f"{text[:1].upper()}{text[1:]}." for text in texts)


def labeling_effort(labels: Iterable[SavedLabel]) -> LabelingEffort:
    """Sum up what labeling took; blinded re-reads and consensus labels do not count."""
    counted = [label for label in labels if not label.is_blinded and label.reader != CONSENSUS]
    known = [(x.changed_voxels, x.draft_dice) for x in counted]
    compared = [(n, dice) for n, dice in known if n is not None and dice is not None]
    return LabelingEffort(
        from_draft=_effort([label for label in counted if label.began]),
        from_empty=_effort([label for label in counted if not label.began]),
        n_compared=len(compared),
        median_dice=median(dice for _, dice in compared) if compared else None,
        median_changed=median(n for n, _ in compared) if compared else None,
        n_unchanged=sum(n == 0 for n, _ in compared),
    )


def _duration(minutes: float) -> str:
    return f"{minutes:.1f} min" if minutes >= 1 else f"{60 * minutes:.0f} s"


def _effort(labels: Sequence[SavedLabel]) -> Effort:
    timed = [label for label in labels if label.looking_s > 0]
    if not timed:
        return Effort(0, None, None)
    looking, drawing = (x.looking_s for x in timed), (x.drawing_s for x in timed)
    return Effort(len(timed), mean(looking) / 60, mean(drawing) / 60)
