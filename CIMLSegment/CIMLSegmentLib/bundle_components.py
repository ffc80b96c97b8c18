"""What the configuration of an exported bundle names: load a model, segment a folder."""

from __future__ import annotations

from pathlib import Path

from CIMLSegmentLib.config import InferenceConfig
from CIMLSegmentLib.inference.case_input import cases_of_path
from CIMLSegmentLib.inference.segmentation_job import Outcome, SegmentationJob, segment_cases
from CIMLSegmentLib.model.model import TrainedModel, load_model
from MultimodalImagingLib.cohorts.cases import files_of_cases
from MultimodalImagingLib.errors import CrossModalError, UsageError
from MultimodalImagingLib.jobs.terminal import TerminalReporter
from MultimodalImagingLib.jobs.texts import counted
from MultimodalImagingLib.record.ownership import check_apart


def load(folder: str) -> TrainedModel:
    """Load the model of the bundle.

    Raises:
        ModelError: If it is damaged, or comes with files that could execute code.
    """
    return load_model(Path(folder))


def settings(**values: object) -> InferenceConfig:
    """Return checked settings of segmentation.

    Raises:
        UsageError: If a value is out of range.
    """
    return InferenceConfig(**values)  # type: ignore[arg-type]


class BundleSegmenter:
    """Segments the cases of a folder and writes a result folder for each."""

    def __init__(
        self,
        model: TrainedModel,
        config: InferenceConfig,
        dataset: str,
        output: str,
        *,
        overwrite: bool = False,
    ) -> None:
        if not dataset:
            msg = "Expected a folder of images, got none. Give one with --dataset_dir."
            raise UsageError(msg)
        self.model = model
        self.dataset = Path(dataset)
        self.job = SegmentationJob(config, Path(output), overwrite)

    def run(self) -> Outcome:
        """Segment all cases.

        Raises:
            CrossModalError: If some case failed.
        """
        cases, problems = cases_of_path(self.dataset)
        check_apart(self.job.output, files_of_cases(cases, problems), option="--output_dir")
        with TerminalReporter() as reporter:
            outcome = segment_cases(cases, lambda: self.model, self.job, reporter=reporter)
        if outcome.failed:
            cases_were = counted(len(outcome.failed), "case", "was", "were")
            msg = f"{cases_were} not segmented: {'; '.join(outcome.failed)}."
            raise CrossModalError(msg)
        return outcome
