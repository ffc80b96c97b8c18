"""The main job with the project's own commands; `Testing/demo.sh` starts it.

Select, take the labels of the suggested cases (and of no other), train, segment the rest with maps,
evaluate where there are labels to compare with, and write both reports. Every command is shown as a
user would type it. What is there from an earlier run is used again.
"""

from __future__ import annotations

import argparse
import json
import shlex
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from job_parts import JobParts

from CIMLSegmentLib.commands.evaluate import find_references
from CIMLSegmentLib.task.task_io import CohortModalities, load_task
from MultimodalImagingLib.cohorts.cases import Cohort
from MultimodalImagingLib.cohorts.cohort import find_cohort
from MultimodalImagingLib.cohorts.labelled_cases import labelled_cases
from MultimodalImagingLib.errors import CohortError, CrossModalError, UsageError
from MultimodalImagingLib.images.stored_image import ImageFile
from MultimodalImagingLib.preparation.intensity import modality_kind
from MultimodalImagingLib.record.atomic_files import write_json
from MultimodalImagingLib.record.cohort_record import CohortRecord, default_record_folder
from MultimodalImagingLib.record.selection_file import cases_labelled_before, suggested_cases

PROGRAMS = {"mdal-selector": "MDALSelectorLib", "ciml-segmenter": "CIMLSegmentLib"}
QUICK_STEPS = "20"
GUESSED_TASKS = ("brats", "pet-ct-mr", "pet-ct")


@dataclass(frozen=True)
class Settings:
    """What the commands are asked for besides their folders.

    Attributes:
        select: Options of `mdal-selector select`.
        train: Options of `ciml-segmenter train`.
        segment: Options of `ciml-segmenter segment`.
    """

    select: tuple[str, ...] = ("--budget", "20%", "--strategy", "DiverseMD")
    # The usual network, with as many patches and as small ones as fit some minutes of 2 cores.
    train: tuple[str, ...] = ("--steps", "800", "--largest-patch", "32", "--validate-every", "100")
    segment: tuple[str, ...] = ("--attention",)


def quick(model: str) -> Settings:
    """Return settings that take minutes: local PMI alone, and few small steps from a model.

    At the usual learning rate 150 steps on 8 labels made such a model worse, and so did smaller
    patches, which are the windows of the segmentation: without what lies around, islands appear.
    """
    select = (*Settings().select, "--estimator", "local")
    train = ("--from", model, "--settings", str(Path(__file__).with_name("gentle.json")))
    steps = ("--steps", QUICK_STEPS, "--validate-every", "10", "--largest-patch", "48")
    return Settings(select, (*train, *steps))


@dataclass(frozen=True)
class Job:
    """One cohort and where everything about it goes.

    Attributes:
        cohort: The cohort's folder; nothing is written there.
        labels: Label maps named like the cases; `None` for those of the cohort.
        task: Preset or file; `None` to choose by the modalities.
        primary: Primary modality, for tasks that leave it open.
        folder: Receives everything.
    """

    cohort: Path
    labels: Path | None
    task: str | None
    primary: str | None
    folder: Path


def main(arguments: Sequence[str], settings: Settings | None = None) -> int:
    """Run the job of a command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="Testing/demo.sh", description=__doc__.splitlines()[0])
    parser.add_argument("cohort", type=Path)
    parser.add_argument("--labels", type=Path, help="label maps named like the cases")
    parser.add_argument("--task", help="preset or JSON file; default: by the modalities")
    parser.add_argument("--primary", help="primary modality, for tasks that leave it open")
    parser.add_argument("--quick-from", metavar="MODEL", help="begin with a model; minutes in all")
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args(arguments)
    job = Job(options.cohort, options.labels, options.task, options.primary, options.output)
    usual = Settings() if options.quick_from is None else quick(options.quick_from)
    try:
        run_main_job(job, settings or usual)
    except CrossModalError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    except subprocess.CalledProcessError as error:
        return error.returncode  # the command has said why
    return 0


def run_main_job(job: Job, settings: Settings) -> None:
    """Do everything that can be done with the labels that there are.

    Raises:
        CrossModalError: If the cohort cannot be used.
        subprocess.CalledProcessError: If a command fails.
    """
    cohort = find_cohort(job.cohort)
    parts = JobParts("demonstration", _work(len(cohort.cases), settings), _say)
    selection = _select(job, settings, parts)
    labels = _labels_to_train_on(selection, cohort, job)
    if not labels:
        _say(
            "None of the suggested cases has a label map yet: label them in the module MDALSelector"
            " of 3D Slicer, or put their label maps into the cohort, and start this again to train"
            " and to segment the rest."
        )
        _end({"Which cases to label next": selection / "report.html"})
        return
    task = _task(job, cohort)
    round_folder = _round_folder(job, labels, settings)
    model, results = round_folder / "model", round_folder / "segmentation"
    with parts.part("train"):
        _train(job, task, labels, model, selection, settings)
    with parts.part("segment"):
        _run(
            "ciml-segmenter",
            ("segment", job.cohort, "--model", model, "--output", results, "--unseen"),
            settings.segment,
        )
    with parts.part("evaluate"):
        reference = _evaluate(job, results)
    with parts.part("report"):
        _run("ciml-segmenter", ("report", results, "--images", job.cohort), reference)
    _end(
        {
            "Which cases to label next": selection / "report.html",
            "Segmentation and modality contributions": results / "report.html",
        }
    )


def _work(n_cases: int, settings: Settings) -> dict[str, tuple[float, float]]:
    """Return the work of every command, and the usual seconds per unit on two cores."""
    words = settings.train
    n_steps = float(words[words.index("--steps") + 1]) if "--steps" in words else 1000.0
    per_case = {"inspect": 0.2, "select": 1.5}
    later = {"segment": 4.0, "evaluate": 0.2, "report": 0.5}
    work = {name: (float(n_cases), seconds) for name, seconds in (per_case | later).items()}
    work["train"] = (n_steps, 0.3)
    return {name: work[name] for name in (*per_case, "train", *later)}


def _select(job: Job, settings: Settings, parts: JobParts) -> Path:
    selection = job.folder / "selection"
    try:
        suggested_cases(selection)
        is_done = (selection / "report.html").is_file()
    except CohortError:
        is_done = False
    if is_done:
        _say(f"The selection of an earlier run is used. To select again, remove {selection}")
        return selection
    with parts.part("inspect"):
        _run("mdal-selector", ("inspect", job.cohort))
    with parts.part("select"):
        _run(
            "mdal-selector",
            ("select", job.cohort, *settings.select),
            ("--record", job.folder / "record", "--output", selection),
        )
    return selection


def _labels_to_train_on(selection: Path, cohort: Cohort, job: Job) -> Mapping[str, ImageFile]:
    """Find label maps of the cases that were suggested, or labeled before the selection."""
    record = CohortRecord(default_record_folder(cohort.root))
    wanted = {*suggested_cases(selection), *cases_labelled_before(selection)}
    found = labelled_cases(cohort, record, job.labels)
    return {c.case_id: c.label for c in found if c.case_id in wanted and c.label is not None}


def _round_folder(job: Job, labels: Mapping[str, ImageFile], settings: Settings) -> Path:
    """Return the folder of the training with just these labels, a new one if there was none."""
    files = {case_id: file.path.stat() for case_id, file in sorted(labels.items())}
    inputs = {
        "labels": {case_id: [stat.st_size, stat.st_mtime_ns] for case_id, stat in files.items()},
        "task": job.task,
        "primary": job.primary,
        "train": list(settings.train),
    }
    number = 1
    while (note := job.folder / f"round-{number}" / "inputs.json").is_file():
        if json.loads(note.read_text(encoding="utf-8")) == inputs:
            return note.parent
        number += 1
    note.parent.mkdir(parents=True, exist_ok=True)
    write_json(note, inputs)
    return note.parent


def _task(job: Job, cohort: Cohort) -> tuple[str, ...]:
    primary = () if job.primary is None else ("--primary", job.primary)
    if job.task is not None:
        return ("--task", job.task, *primary)
    kinds = {modality: modality_kind(modality) for modality in cohort.modalities}
    for name in GUESSED_TASKS:
        task = load_task(name, cohort=CohortModalities(kinds, None))
        if set(task.modalities) <= set(cohort.modalities):
            _say(f"The cohort has {', '.join(task.modalities)}: the task {name} is taken.")
            return ("--task", name)
    msg = (
        f"No preset fits a cohort with {', '.join(cohort.modalities)}. Start again with"
        " --task single-target --primary MODALITY, or with --task and a JSON file of yours."
    )
    raise UsageError(msg)


def _train(
    job: Job,
    task: tuple[str, ...],
    labels: Mapping[str, ImageFile],
    model: Path,
    selection: Path,
    settings: Settings,
) -> None:
    where = _label_options(job, labels)
    _run(
        "ciml-segmenter",
        ("train", job.cohort, *task, *where, "--suggested-by", selection, *settings.train),
        ("--record", job.folder / "record", "--output", model, "--resume"),
    )


def _label_options(job: Job, labels: Mapping[str, ImageFile]) -> tuple[str | Path, ...]:
    if job.labels is not None:
        return ("--labels", job.labels)
    made_here = CohortRecord(default_record_folder(job.cohort)).labels
    if any(file.path.parent == made_here for file in labels.values()):
        return ("--labels", made_here)
    return ()


def _evaluate(job: Job, results: Path) -> tuple[str | Path, ...]:
    """Evaluate if a segmented case has a label map; returns the option that names the labels."""
    reference = job.cohort if job.labels is None else job.labels
    try:
        known = find_references(reference).labels
    except CohortError:
        known = {}
    if not any((results / case_id).is_dir() for case_id in known):
        _say("None of the segmented cases has a label map to compare with.")
        return ()
    option = ("--reference", reference)
    _run("ciml-segmenter", ("evaluate", results), option)
    return option


def _run(program: str, *arguments: Sequence[str | Path]) -> None:
    words = [str(word) for part in arguments for word in part]
    _say(f"$ {shlex.join([program, *words])}")
    # Ctrl+C reaches the command too: let it write what it reached, and end as it does.
    before = signal.signal(signal.SIGINT, lambda _signal, _frame: None)
    try:
        subprocess.run([sys.executable, "-m", PROGRAMS[program], *words], check=True)
    finally:
        signal.signal(signal.SIGINT, before)


def _end(pages: Mapping[str, Path]) -> None:
    _say("Open in a browser:")
    for title, page in pages.items():
        print(f"  {title}: {page.resolve()}")


def _say(text: str) -> None:
    print(f"\n{text}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
