"""Images far off and mirrored images: are they told apart, in cohorts of 12 and 36 cases?

python Testing/Evidence/pairing_far_shifts.py --work /tmp/far

Synthetic cohorts without other faults. T2 is moved in the header of its file by 60 mm along each
axis and sign, or mirrored in its voxels: in one case at a time, and in all cases at once. All files
are written, found, prepared and measured as the program does it. Nothing is tuned here.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import SimpleITK as sitk  # noqa: N813

sys.path.insert(0, str(Path(__file__).parents[2] / "MDALSelector"))
sys.path.insert(0, str(Path(__file__).parent))

from pairing_detection import measured, spliced

from MDALSelectorLib.pairing.alignment import AlignmentMeasures
from MDALSelectorLib.pairing.flags import pairing_flags
from MDALSelectorLib.synthetic_cohort import write_cohort
from MultimodalImagingLib.cohorts.cohort import find_cohort
from MultimodalImagingLib.jobs.progress import NullReporter
from MultimodalImagingLib.preparation.preprocessing import default_spec, prepare_cohort

MOVED = "T2"
MM = 60.0
SIDES = (("left", "right"), ("posterior", "anterior"), ("superior", "inferior"))
FLIPS = ("left to right", "front to back", "upside down")
Change = Callable[[sitk.Image], sitk.Image]


def moved(axis: int, mm: float) -> Change:
    def change(image: sitk.Image) -> sitk.Image:
        origin = list(image.GetOrigin())
        origin[axis] += mm
        image.SetOrigin(origin)
        return image

    return change


def mirrored(axis: int) -> Change:
    def change(image: sitk.Image) -> sitk.Image:
        flipped = np.flip(sitk.GetArrayFromImage(image), 2 - axis)
        changed = sitk.GetImageFromArray(np.ascontiguousarray(flipped))
        changed.CopyInformation(image)
        return changed

    return change


def changes() -> dict[str, tuple[Change, str]]:
    """Return, per kind, what is done to the image and what has to be said about it."""
    kinds: dict[str, tuple[Change, str]] = {}
    for axis, sides in enumerate(SIDES):
        for side, sign in zip(sides, (1.0, -1.0), strict=True):
            kinds[f"{MM:.0f} mm {side}"] = moved(axis, sign * MM), f"(mostly {side})"
        kinds[f"mirrored {FLIPS[axis]}"] = mirrored(axis), f"mirrored {FLIPS[axis]}"
    return kinds


def copied(source: Path, target: Path, change: Change) -> Path:
    """Copy a cohort and change the moved modality of every case."""
    cohort = find_cohort(source)
    for case in cohort.cases:
        for modality, file in case.images.items():
            path = target / file.path.relative_to(cohort.root)
            path.parent.mkdir(parents=True, exist_ok=True)
            if modality == MOVED:
                sitk.WriteImage(change(sitk.ReadImage(str(file.path))), str(path))
            else:
                shutil.copy2(file.path, path)
    return target


def faultless(n_cases: int, seed: int, work: Path) -> Path:
    """Write a synthetic cohort and remove the cases with planted faults."""
    folder = work / f"synthetic-{n_cases}"
    if not folder.exists():
        write_cohort(folder, n_cases=n_cases + 8, seed=seed)
        table = (folder / "factors.csv").read_text().splitlines()
        rows = [dict(zip(table[0].split(","), line.split(","), strict=False)) for line in table[1:]]
        usual = [row["case"] for row in rows if not row["known fault"]][:n_cases]
        for path in (folder / "cohort").iterdir():
            if path.is_dir() and path.name not in usual:
                shutil.rmtree(path)
    return folder / "cohort"


def alignment(folder: Path, cache: Path) -> AlignmentMeasures:
    cohort = find_cohort(folder)
    spec = default_spec(cohort)
    return measured(prepare_cohort(cohort, spec, cache=cache, reporter=NullReporter()))


def said(measures: AlignmentMeasures, words: str) -> tuple[int, int]:
    """Return how many cases are flagged, and of how many the words are said of the modality."""
    flags = pairing_flags(measures)
    right = [
        any(f.reason.startswith(MOVED) and words in f.reason for f in found)
        for found in flags.values()
    ]
    return len(flags), sum(right)


def row_of(base: AlignmentMeasures, changed: AlignmentMeasures, words: str) -> dict[str, int]:
    untouched = pairing_flags(base)
    found = named = others = 0
    for index, case_id in enumerate(base.case_ids):
        flags = pairing_flags(spliced(base, changed, index))
        own = flags.get(case_id, ())
        found += bool(own)
        named += any(f.reason.startswith(MOVED) and words in f.reason for f in own)
        others += len(set(flags) - set(untouched) - {case_id})
    flagged, right = said(changed, words)
    one = {"found": found, "named": named, "others": others}
    return one | {"all found": flagged, "all named": right}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True, help="folder for cohorts and figures")
    parser.add_argument("--sizes", type=int, nargs="+", default=[12, 36])
    parser.add_argument("--seed", type=int, default=31)
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    print("| cases | T2 is | flagged | rightly named | others | all: flagged | all: named |")
    print("|---|---|---|---|---|---|---|", flush=True)
    for n_cases in options.sizes:
        source = faultless(n_cases, options.seed, options.work)
        base = alignment(source, options.work / "cache" / f"{n_cases}")
        for kind, (change, words) in changes().items():
            path = options.work / f"{n_cases}-{kind}.json"
            if not path.is_file():
                folder = copied(source, options.work / f"{n_cases}-{kind}", change)
                changed = alignment(folder, options.work / "cache" / f"{n_cases}-{kind}")
                path.write_text(json.dumps(row_of(base, changed, words)))
                shutil.rmtree(folder)
            row = json.loads(path.read_text())
            cells = [f"{row[name]} of {n_cases}" for name in ("found", "named")]
            cells += [str(row["others"]), str(row["all found"]), str(row["all named"])]
            print(f"| {n_cases} | {kind} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
