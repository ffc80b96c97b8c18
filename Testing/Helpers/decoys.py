"""A cohort and the program's own folders, with files of the user in between that look like ours."""

from __future__ import annotations

import shutil
from pathlib import Path

from phantoms import phantom, save_itk, save_nifti
from small_example import SmallExample

from MDALSelectorLib.exchange.record_export import export_record
from MultimodalImagingLib.jobs.progress import NullReporter
from MultimodalImagingLib.record.cohort_record import open_record

# Names that the program uses, with content that it did not write.
LOOKALIKES = (
    *("report.html", "evaluation.csv", "evaluation.json", "selection.csv", "selection.json"),
    *(
        "model.json",
        "result.json",
        "cases.json",
        "log.jsonl",
        "metadata.json",
        "segmentation.nii.gz",
    ),
)
OWN = ("model", "run", "results", "record", "bundle")


def write_world(world: Path, example: SmallExample) -> None:
    """Write everything into an empty folder; see `places` for what lies where."""
    shutil.copytree(example.cohort, world / "cohort")
    for name in ("model", "run", "results"):
        ignored = shutil.ignore_patterns("training")
        shutil.copytree(getattr(example, name), world / name, ignore=ignored)
        _notes(world / name)
    _notes(world / "results" / "case00")
    (world / "record").mkdir()
    for number, case in enumerate(sorted((world / "cohort").iterdir())):
        _notes(case)
        if number % 2 == 0:
            save_itk(case / "segmentation.seg.nrrd", phantom(number)[1])
            (case / ".hidden").write_text("mine", encoding="utf-8")
    (world / "outside").mkdir()
    save_nifti(world / "outside" / "t1.nii.gz", phantom(9)[0]["T1"])
    _notes(world / "outside")
    save_nifti(world / "predicted" / "case00.nii.gz", phantom(0)[1])
    (world / "cohort" / "linked").symlink_to(world / "outside", target_is_directory=True)
    (world / "file.txt").write_text("mine", encoding="utf-8")
    export_record(open_record(world / "cohort"), world / "exported", NullReporter())
    shutil.rmtree(world / "cohort" / ".crossmodal")
    _foreign(world / "foreign")
    _foreign(world / "foreign" / "case00")
    _notes(world / "cohort")


def _notes(folder: Path) -> None:
    (folder / "notes.txt").write_text(f"mine, about {folder.name}", encoding="utf-8")
    (folder / "read-only.txt").write_text("mine", encoding="utf-8")
    (folder / "read-only.txt").chmod(0o444)


def _foreign(folder: Path) -> None:
    for name in LOOKALIKES:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text('{"mine": true}', encoding="utf-8")
    save_itk(folder / "segmentation.seg.nrrd", phantom(8)[1])


PLACES = {
    "cohort": "cohort",
    "case": "cohort/case00",
    "parent": ".",
    "model": "model",
    "run": "run",
    "results": "results",
    "record": "record",
    "foreign": "foreign",
    "file": "file.txt",
    "link": "cohort/linked",
    "new": "new/deeper",
}
