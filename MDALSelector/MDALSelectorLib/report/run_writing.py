"""The files of a selection run, in an order in which a cancelled run can be started again."""

from __future__ import annotations

from pathlib import Path

from MDALSelectorLib.report.page import write_report
from MDALSelectorLib.report.pmi_maps import disagreement_of
from MDALSelectorLib.report.thumbnails import thumbnail_names, write_thumbnails
from MDALSelectorLib.selection.case_selection import CaseSelection
from MDALSelectorLib.selection.cohort_scores import CohortScores
from MDALSelectorLib.selection.run_folder import (
    remove_pictures,
    write_embeddings,
    write_selection,
)
from MDALSelectorLib.selection.selecting import with_thumbnails
from MultimodalImagingLib.jobs.progress import Reporter
from MultimodalImagingLib.preparation.preprocessing import PreparedCohort


def write_run(
    run: Path,
    selection: CaseSelection,
    scores: CohortScores,
    prepared: PreparedCohort,
    reporter: Reporter,
) -> None:
    """Write a run: the ranking first, since it names the pictures and maps that follow.

    So whatever is there is known to be the program's own, wherever the job is stopped.

    Args:
        run: Folder of the run; an earlier run in it is replaced.
        selection: What came out.
        scores: What it was chosen by.
        prepared: The prepared cohort.
        reporter: Notified of every picture; its `advance` may raise `CancelledError`.

    Raises:
        CrossModalError: If a file cannot be written.
    """
    shown = {case.case_id for case in (*selection.suggested, *selection.to_check)}
    found = thumbnail_names(scores.case_ids)
    names = {case_id: name for case_id, name in found.items() if case_id in shown}
    reporter.stage("Write the ranking", 1)
    remove_pictures(run)
    write_embeddings(run, {"fused": scores.embeddings}, case_ids=scores.case_ids)
    write_selection(run, with_thumbnails(selection, names))
    reporter.advance()
    rows = [row for row, case_id in enumerate(prepared.case_ids) if case_id in shown]
    write_thumbnails(
        run,
        prepared.taken(rows),
        kinds=prepared.spec.kinds,
        names=names,
        disagreement=disagreement_of(run, selection, scores, prepared, names),
        reporter=reporter,
    )
    reporter.stage("Write the report", 1)
    write_report(run)
    reporter.advance()
