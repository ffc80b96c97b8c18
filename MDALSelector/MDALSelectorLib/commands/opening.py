"""What commands on a cohort begin with: its cases, and its record. Needs no torch."""

from __future__ import annotations

import argparse

from MultimodalImagingLib.cohorts.cases import Cohort
from MultimodalImagingLib.cohorts.cohort import find_cohort, patterns_for
from MultimodalImagingLib.cohorts.modality_patterns import parse_pattern
from MultimodalImagingLib.jobs.progress import Reporter
from MultimodalImagingLib.record.cohort_record import CohortRecord, open_record
from MultimodalImagingLib.record.ownership import check_apart


def opened_cohort(options: argparse.Namespace, reporter: Reporter) -> tuple[Cohort, CohortRecord]:
    """Find the cohort of `options.cohort`, as `options.modality` corrects it, and its record.

    Raises:
        UsageError: If `options.record` lies among the images.
        CohortError: If there is no cohort.
    """
    cohort = found_cohort(options, reporter)
    return cohort, open_record(cohort.root, folder=options.record)


def found_cohort(options: argparse.Namespace, reporter: Reporter) -> Cohort:
    """Find the cohort of `options.cohort`, as `options.modality` corrects it; nothing is written.

    Raises:
        UsageError: If `options.record` lies among the images.
        CohortError: If there is no cohort.
    """
    rows = tuple(parse_pattern(text) for text in options.modality)
    reporter.stage("Find cases", 1)
    patterns = patterns_for(options.cohort, rows)
    cohort = find_cohort(options.cohort, patterns=patterns, reporter=reporter)
    reporter.advance()
    if options.record is not None:
        check_apart(options.record, cohort.files, option="--record")
    return cohort
