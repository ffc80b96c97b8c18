"""The command `export`: a model, or the cases of a cohort, for other programs. Imports no torch."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path

from CIMLSegmentLib.commands.evaluate import add_label_values_argument
from CIMLSegmentLib.commands.train import find_cohort_apart, task_of_options
from CIMLSegmentLib.commands.training_labels import known_to_run
from CIMLSegmentLib.exchange.dicom_seg import SEG_TYPES
from CIMLSegmentLib.exchange.labelled_cases import RESAMPLE, ExportJob
from CIMLSegmentLib.exchange.monai_datastore import export_monai_label
from CIMLSegmentLib.exchange.nnunet_dataset import export_nnunet
from CIMLSegmentLib.exchange.seg_export import ExportedSegs, export_labels, export_results
from CIMLSegmentLib.model.shipped_models import MODEL_HELP, model_folder
from CIMLSegmentLib.task.label_scheme import find_label_maps
from CIMLSegmentLib.task.label_values import parse_label_values
from CIMLSegmentLib.task.task_io import preset_names
from MultimodalImagingLib.cohorts.case_table import export_table
from MultimodalImagingLib.cohorts.cases import Cohort
from MultimodalImagingLib.cohorts.evaluation_set import (
    EvaluationSet,
    read_evaluation_set,
    split_held_out,
)
from MultimodalImagingLib.cohorts.labelled_cases import labelled_cases
from MultimodalImagingLib.cohorts.saved_labels import record_remarks
from MultimodalImagingLib.errors import UsageError
from MultimodalImagingLib.jobs.command_line import add_modality_argument
from MultimodalImagingLib.jobs.environment import same_name
from MultimodalImagingLib.jobs.progress import Reporter
from MultimodalImagingLib.jobs.texts import counted, listed
from MultimodalImagingLib.record.checksums import FileChecksums
from MultimodalImagingLib.record.cohort_record import CohortRecord, open_record
from MultimodalImagingLib.record.ownership import check_beside, check_outside
from MultimodalImagingLib.record.selection_file import suggested_cases

Exported = Mapping[str, object]


def add_export_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the `export` command to its parser."""
    parser.add_argument(
        "source",
        type=Path,
        metavar="MODEL_OR_COHORT",
        help=f"for --monai-bundle {MODEL_HELP}; for all else a cohort: a folder or a CSV manifest",
    )
    kinds = parser.add_mutually_exclusive_group(required=True)
    kinds.add_argument(
        "--monai-bundle",
        type=Path,
        metavar="FOLDER",
        help="write a bundle that `python -m monai.bundle run` runs",
    )
    kinds.add_argument(
        "--nnunet",
        type=Path,
        metavar="FOLDER",
        help="write or complete a raw data set of nnU-Net v2, named like Dataset123_Name: labeled"
        " cases to train on, the others to predict",
    )
    kinds.add_argument(
        "--monai-label",
        type=Path,
        metavar="FOLDER",
        help="write or complete a datastore of MONAI Label with the images of the primary modality",
    )
    kinds.add_argument(
        "--csv",
        type=Path,
        metavar="FILE",
        help="write a table with a row per case for CART and SlicerCaseIterator",
    )
    kinds.add_argument(
        "--dicom-seg",
        type=Path,
        metavar="FOLDER",
        help="write labels, or --results, of a cohort of DICOM files as DICOM Segmentation objects"
        " on the series of the primary modality; needs highdicom",
    )
    parser.add_argument(
        "--results",
        type=Path,
        metavar="DIR",
        help="with --dicom-seg: write these results of `segment`, not the labels",
    )
    parser.add_argument(
        "--seg-type",
        choices=SEG_TYPES,
        default=SEG_TYPES[0],
        help="with --dicom-seg: a mask per region (binary, the default), one label map, or the"
        " probabilities of results of `segment --probabilities` (fractional)",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace an older bundle")
    _add_cohort_arguments(parser)


def _add_cohort_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--task",
        help=f"what labels and modalities are: a JSON file, or one of {', '.join(preset_names())}",
    )
    parser.add_argument("--primary", metavar="MODALITY", help="for tasks that leave it open")
    parser.add_argument(
        "--labels",
        type=Path,
        metavar="FOLDER",
        help="label maps that are named like the cases; default: those of the record and the"
        " cohort",
    )
    parser.add_argument(
        "--suggested-by",
        type=Path,
        metavar="RUN",
        help="export only labels of cases that this run of `mdal-selector select` suggested or"
        " counted as labeled; with --csv, its cases come first",
    )
    add_label_values_argument(parser)
    parser.add_argument("--record", type=Path, help="folder of the cohort's record")
    parser.add_argument(
        RESAMPLE,
        action="store_true",
        help="bring images (linear) and label maps (nearest voxel) of a case to the grid of its"
        " primary image where the other program demands one grid; else such cases are refused",
    )
    add_modality_argument(parser)


def run_export(options: argparse.Namespace, reporter: Reporter) -> int:
    """Run the `export` command; returns the exit code 0."""
    if options.monai_bundle is not None:
        from CIMLSegmentLib.model.bundle import export_bundle

        model = model_folder(str(options.source))
        folder = export_bundle(model, options.monai_bundle, overwrite=options.overwrite)
        reporter.result({"bundle": str(folder)})
        return 0
    export = _kind(options)
    options.cohort = options.source
    options.output = options.nnunet or options.monai_label or options.dicom_seg
    if options.source.is_dir():  # what lies in there would be taken for cases, or for a manifest
        folder = options.output or options.csv.absolute().parent
        check_outside(folder, options.source, holds="the cohort", option=_option(options))
    cohort = find_cohort_apart(options, reporter, option=_option(options))
    record = open_record(cohort.root, folder=options.record)
    reporter.result(export(options, cohort, record, reporter))
    return 0


_Export = Callable[[argparse.Namespace, Cohort, CohortRecord, Reporter], Exported]


def _kind(options: argparse.Namespace) -> _Export:
    if options.csv is not None:
        return _table
    if options.results is not None and options.dicom_seg is not None:
        return _dicom_results
    if options.task is None:
        msg = f"Give --task with {_option(options)}: it says which labels and modalities there are."
        raise UsageError(msg)
    if options.dicom_seg is not None:
        return _dicom_labels
    return _monai_label if options.nnunet is None else _nnunet


def _option(options: argparse.Namespace) -> str:
    names = ("csv", "nnunet", "monai_label", "dicom_seg")
    name = next(name for name in names if getattr(options, name) is not None)
    return f"--{name.replace('_', '-')}"


def _table(
    options: argparse.Namespace, cohort: Cohort, record: CohortRecord, reporter: Reporter
) -> Exported:
    check_beside(options.csv.absolute().parent, cohort.files, option="--csv")
    done = export_table(cohort, record, options.csv, suggested=_suggested(options))
    if done.without_path:
        reporter.warning(
            "Without a file of their own, so their cells are empty:"
            f" {listed(list(done.without_path))}. Other programs need one file per image."
        )
    return {"table": str(options.csv), "cases": done.n_cases}


def _nnunet(
    options: argparse.Namespace, cohort: Cohort, record: CohortRecord, reporter: Reporter
) -> Exported:
    done = export_nnunet(_job(options, cohort, record, reporter), options.nnunet, reporter)
    _tell(done.left_out, done.resampled, done.foreign, reporter)
    reporter.info(
        f"Round {done.round}: {counted(len(done.added), 'labeled case')} added,"
        f" {done.n_labelled} in all; {counted(done.n_unlabelled, 'case')} to predict in imagesTs."
    )
    if done.n_tested:
        reporter.info(
            f"{counted(done.n_tested, 'label')} of the evaluation set in labelsTs, in no fold:"
            " compare predictions with them by `nnUNetv2_evaluate_folder`."
        )
    if done.withdrawn:
        reporter.warning(
            "Set aside for testing since an earlier export, and no longer among the cases to train"
            f" on: {listed(list(done.withdrawn))}. Models that nnU-Net trained before have seen"
            " them. Remove its older splits_final.json and preprocess the data set again."
        )
    reporter.info(
        "There is no splits_final.json while one of the five folds has no patient; nnU-Net can"
        " train on all of them with the fold `all`."
        if done.splits is None
        else f"Copy {done.splits.name} to nnUNet_preprocessed/{options.nnunet.name} after"
        " nnU-Net's preprocessing."
    )
    return {"dataset": str(options.nnunet), **_plain(asdict(done))}


def _monai_label(
    options: argparse.Namespace, cohort: Cohort, record: CohortRecord, reporter: Reporter
) -> Exported:
    job = _job(options, cohort, record, reporter)
    if job.tested:
        reporter.info(
            f"{counted(len(job.tested), 'label')} of the evaluation set"
            f" {'is' if len(job.tested) == 1 else 'are'} not exported, as MONAI Label trains on all"
            " labels that it finds."
        )
    done = export_monai_label(job, options.monai_label, reporter)
    _tell(done.left_out, done.resampled, done.foreign, reporter)
    reporter.info(
        f"{counted(done.n_images, f'{done.modality} image')},"
        f" {counted(done.n_labels, 'label')} in labels/final."
    )
    return {"datastore": str(options.monai_label), **_plain(asdict(done))}


def _dicom_labels(
    options: argparse.Namespace, cohort: Cohort, record: CohortRecord, reporter: Reporter
) -> Exported:
    job = _job(options, cohort, record, reporter, is_trained_on=False)
    done = export_labels(job, options.dicom_seg, reporter, kind=options.seg_type)
    return _told_segs(done, options, reporter)


def _dicom_results(
    options: argparse.Namespace, cohort: Cohort, _record: CohortRecord, reporter: Reporter
) -> Exported:
    done = export_results(
        cohort,
        options.results,
        options.dicom_seg,
        reporter,
        kind=options.seg_type,
        may_resample=options.resample,
    )
    return _told_segs(done, options, reporter)


def _told_segs(done: ExportedSegs, options: argparse.Namespace, reporter: Reporter) -> Exported:
    _tell(done.left_out, done.resampled, done.foreign, reporter)
    if not done.files:
        msg = f"No DICOM SEG was written to {options.dicom_seg}; the reasons are above."
        raise UsageError(msg)
    reporter.info(
        f"{counted(len(done.files), 'DICOM SEG', 'was', 'were')} written and read back equal. Like"
        " their series, they hold the patient's name and number."
    )
    return {"folder": str(options.dicom_seg), **_plain(asdict(done))}


def _job(
    options: argparse.Namespace,
    cohort: Cohort,
    record: CohortRecord,
    reporter: Reporter,
    *,
    is_trained_on: bool = True,
) -> ExportJob:
    task = task_of_options(options, cohort)
    cases = labelled_cases(cohort, record, options.labels, reporter)
    for text in record_remarks(cohort.root, record) if options.labels is None else ():
        reporter.warning(text)
    held = read_evaluation_set(cohort, record) if is_trained_on else EvaluationSet()
    cases, tested = split_held_out(cases, held)
    held.tell(reporter, what="exported to be trained on")
    if options.suggested_by is not None:
        cases = known_to_run(cases, options.suggested_by, reporter, held=held)
    maps = find_label_maps(
        {case.case_id: case.label for case in (*cases, *tested) if case.label is not None},
        task,
        said=parse_label_values(options.label_values, task),
        reporter=reporter,
        cache=record.cache,
    )
    maps.tell(reporter)
    for case_id, reason in maps.survey.faults.items():
        reporter.warning(f"The label map of case {case_id} is not exported: {reason}")
    usable, tests = (
        tuple(case for case in part if case.case_id not in maps.survey.faults)
        for part in (cases, tested)
    )
    return ExportJob(
        cohort,
        task,
        usable,
        maps,
        FileChecksums(record.cache, cohort.root),
        _suggested(options),
        options.resample,
        tests,
        held.held_out,
    )


def _suggested(options: argparse.Namespace) -> tuple[str, ...]:
    if options.suggested_by is None:
        return ()
    return tuple(same_name(name) for name in suggested_cases(options.suggested_by))


def _tell(
    left_out: Mapping[str, str],
    resampled: tuple[str, ...],
    foreign: tuple[str, ...],
    reporter: Reporter,
) -> None:
    """Say what is not there, what was resampled, and what was left as it is."""
    for case_id, reason in left_out.items():
        reporter.warning(f"Case {case_id} is left out: {reason}")
    if resampled:
        reporter.warning(
            f"Resampled to the grid of the primary image: {counted(len(resampled), 'case')},"
            f" {listed(list(resampled))}. The originals are unchanged."
        )
    if foreign:
        reporter.warning(
            f"Left as they are, because they changed since they were exported or were not written"
            f" by this program: {listed(list(foreign))}. Move them away to export them anew."
        )


def _plain(content: Mapping[str, object]) -> Exported:
    """Leave out what is empty, and write paths as texts."""
    return {
        k: str(v) if isinstance(v, Path) else v for k, v in content.items() if v not in ({}, ())
    }
