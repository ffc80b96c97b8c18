"""Input with nothing odd about it, which every command has to take without a word of warning."""

from __future__ import annotations

from pathlib import Path

from phantoms import plain_cohort, save_case
from situation import Situation

NAMES = {"T1": "t1.nii.gz", "T1c": "t1c.nii.gz", "T2": "t2.nii.gz", "FLAIR": "flair.nii.gz"}
WARNINGS = (r"Warning", r"Error")


def _one_case(folder: Path) -> None:
    save_case(folder / "case00", 0, NAMES)


def _result_of_case(folder: Path, out: Path, output: str) -> None:
    assert {"segmentation.seg.nrrd", "result.json"} <= {p.name for p in (out / "case00").iterdir()}


SITUATIONS = (
    Situation(
        name="plain-inspect",
        kind="plain",
        build=plain_cohort,
        command=("mdal-selector", "inspect", "{folder}"),
        says=("8 cases", "No problems"),
        silent_about=WARNINGS,
    ),
    Situation(
        name="plain-inspect-child",
        kind="plain",
        build=plain_cohort,
        command=("mdal-selector", "inspect", "{folder}", "--json"),
        environment={"LC_ALL": "C.UTF-8"},
        silent_about=WARNINGS,
    ),
    Situation(
        name="plain-segment",
        kind="plain",
        build=_one_case,
        command=(
            *("ciml-segmenter", "segment", "{folder}/case00"),
            *("--model", "{model}", "--output", "{out}", "--device", "cpu"),
        ),
        silent_about=WARNINGS,
        check=_result_of_case,
    ),
    Situation(
        name="plain-no-such-folder",
        kind="plain",
        build=_one_case,
        command=("mdal-selector", "inspect", "{folder}/elsewhere"),
        exit_code=2,
        says=("elsewhere",),
    ),
)
