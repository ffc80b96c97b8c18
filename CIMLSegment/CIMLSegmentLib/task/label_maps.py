"""Label maps of cases, read with the values of a task: the one way for all commands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from CIMLSegmentLib.task.label_scheme import LabelScheme, label_scheme
from CIMLSegmentLib.task.label_values import LabelValues
from CIMLSegmentLib.task.task import Task
from MultimodalImagingLib.cohorts.label_survey import LabelSurvey, survey_labels
from MultimodalImagingLib.images.geometry import Volume
from MultimodalImagingLib.images.label_map import read_label_map
from MultimodalImagingLib.images.stored_image import ImageFile
from MultimodalImagingLib.jobs.progress import Reporter


@dataclass(frozen=True)
class LabelMaps:
    """Label maps whose values are understood.

    Attributes:
        files: Label map per case.
        survey: What they hold, and which of them cannot be used.
        scheme: What the values stand for.
    """

    files: Mapping[str, ImageFile]
    survey: LabelSurvey
    scheme: LabelScheme

    def read(self, case_id: str) -> Volume:
        """Read the label map of a case with the values of the task.

        Raises:
            CohortError: If it cannot be used.
        """
        return self.scheme.read(case_id, read_label_map(self.files[case_id]))

    def tell(self, reporter: Reporter) -> None:
        """Say what the values are taken for."""
        if self.scheme.summary:
            reporter.info(self.scheme.summary)
        for text in self.scheme.warnings:
            reporter.warning(text)


def find_label_maps(
    files: Mapping[str, ImageFile],
    task: Task,
    *,
    said: LabelValues,
    reporter: Reporter,
    cache: Path | None = None,
) -> LabelMaps:
    """Read all label maps and find out what their values stand for.

    Args:
        files: Label map per case.
        task: The task.
        said: What the user says about the values.
        reporter: Receives progress.
        cache: Folder that remembers what unchanged files hold; `None` to read them all.

    Raises:
        CohortError: If a value cannot be explained; the text asks, and names the option.
    """
    survey = survey_labels(files, reporter, cache=cache)
    return LabelMaps(files, survey, label_scheme(task, survey.cases, said))


def grouped(texts: Mapping[str, str]) -> list[str]:
    """Return a sentence per text with all cases that it is about, in place of one per case.

    Args:
        texts: Text per case.
    """
    cases: dict[str, list[str]] = {}
    for case_id, text in texts.items():
        cases.setdefault(text, []).append(case_id)
    return [
        f"Case{'s' * (len(case_ids) != 1)} {', '.join(case_ids)}: {text}"
        for text, case_ids in cases.items()
    ]
