"""The stages of a retrospective, and how much work they are: for its progress."""

from __future__ import annotations

from MDALSelectorLib.retrospect.config import COMPARED, MIN_CASES, RetrospectConfig
from MDALSelectorLib.selection.config import SelectionConfig
from MDALSelectorLib.selection.job_stages import measuring_stages
from MultimodalImagingLib.cohorts.cases import Case, Cohort
from MultimodalImagingLib.cohorts.evaluation_set import read_evaluation_set, split_held_out
from MultimodalImagingLib.cohorts.labelled_cases import labelled_cases
from MultimodalImagingLib.jobs.job_plan import JobPlan, PlannedStage
from MultimodalImagingLib.record.cohort_record import CohortRecord, open_record

# How the labels are asked while a cohort is being labeled.
EVIDENCE_SETTINGS = RetrospectConfig(budgets=("50%",), n_draws=20, n_folds=5, n_partitions=2)
KIND = "retrospect"
TRAIN_AND_TEST = "Train and test"


def cases_to_ask(cohort: Cohort, record: CohortRecord) -> tuple[Case, ...]:
    """Return the labeled cases that may speak for a strategy; none if they say nothing.

    Cases that are kept from training do not count: neither as labels nor as cases to label.

    Raises:
        CohortError: If the record cannot be read.
    """
    held = read_evaluation_set(cohort, record)
    cases, _ = split_held_out(labelled_cases(cohort, record, None), held)
    n_open = sum(case.case_id not in held.held_out for case in cohort.cases)
    return cases if MIN_CASES <= len(cases) < n_open else ()


def evidence_stages(cohort: Cohort, config: SelectionConfig) -> tuple[PlannedStage, ...]:
    """Return the stages that ask the labels after a selection; none if they say nothing."""
    n = len(cases_to_ask(cohort, open_record(cohort.root, folder=config.record)))
    if not n:
        return ()
    n_tests = n * EVIDENCE_SETTINGS.n_partitions
    return PlannedStage("Read labels", n, 0.1), PlannedStage("Ask the labels", n_tests, 0.1)


def retrospect_plan(cohort: Cohort, config: RetrospectConfig) -> JobPlan:
    """Return what `run_retrospect` will do with the labeled cases of a cohort."""
    n_cases = len(cohort.cases)
    measures = {
        stage.name: stage
        for stage in measuring_stages(
            cohort, config.spacing_mm, with_positions=config.estimator in ("auto", "local")
        )
    }
    order = ("Check pairing", "Describe images", "Describe positions", "Compare voxels")
    stages = (
        measures["Prepare images"],
        PlannedStage("Read labels", n_cases, 0.1),
        *(measures[name] for name in order if name in measures),
        PlannedStage("Choose cases", config.n_folds * config.n_partitions, 2.0),
        training_stage(_n_trainings(n_cases, config), config),
    )
    return JobPlan(KIND, stages, _device(config))


def measured_plan(config: RetrospectConfig, n_trainings: int, seconds: float) -> JobPlan:
    """Return the trainings that are left, after one was timed.

    Args:
        config: What is asked for.
        n_trainings: Trainings that are left.
        seconds: How long one takes, s; as many as run side by side count as one.
    """
    stage = training_stage(n_trainings, config)
    return JobPlan(KIND, (stage,), _device(config), {stage.name: seconds / stage.size})


def training_stage(n_steps: int, config: RetrospectConfig) -> PlannedStage:
    """Return the stage that trains and tests."""
    network = config.network
    if network is None:
        return PlannedStage(TRAIN_AND_TEST, n_steps, 0.3)
    return PlannedStage(TRAIN_AND_TEST, n_steps, 0.1, network.n_steps)


def _n_trainings(n_cases: int, config: RetrospectConfig) -> int:
    if config.network is None:
        return n_cases * config.n_partitions  # test cases
    n_chosen = len(config.strategies or COMPARED) * config.network.n_seeds
    n_folds = config.n_folds * config.n_partitions
    return n_folds * len(config.budgets) * (n_chosen + config.n_draws)


def _device(config: RetrospectConfig) -> str:
    return "cpu" if config.network is None else config.network.device or "auto"
