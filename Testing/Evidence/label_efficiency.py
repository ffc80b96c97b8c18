"""Dice against labels: every strategy against random draws, by the closed-form learner.

python Testing/Evidence/label_efficiency.py COHORT --leave-out STS_019 --work FOLDER

The same as `mdal-selector retrospect` with 4 x 5 outer folds and 40 random draws, printed as a
table. Kill it and start it again: finished test cases are kept in the work folder.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "MDALSelector"))

from MDALSelectorLib.__main__ import main as mdal_selector
from MDALSelectorLib.retrospect.retrospective import Retrospective, signed
from MDALSelectorLib.retrospect.run_files import JSON_NAME, read_retrospective

# Both directions of the modality difference, and what goes by similarity alone.
COMPARED = ("DiverseMD", "DiverseMinMD", "MaxMD", "MinMD", "ALPS", "TypiClust", "KCenter", "CSCS")
DESIGNS = {
    "linear": ("--budgets", "10%,20%,40%", "--export", "nnunet"),
    "network": (
        *("--learner", "network", "--budgets", "20%", "--partitions", "1", "--draws", "12"),
        *("--seeds", "3", "--device", "cpu"),
        *(word for name in COMPARED for word in ("--strategy", name)),
    ),
}


def row(found: Retrospective, strategy: str) -> str:
    of = {(o.strategy, o.budget): o for o in (*found.outcomes, *found.areas)}
    cells = []
    for number in (*range(len(found.budgets)), None):
        outcome = of.get((strategy, number))
        if outcome is None:
            cells.append("")
            continue
        interval = f"{signed(outcome.low)} to {signed(outcome.high)}"
        cells.append(f"{signed(outcome.difference)} ({interval})")
    return f"| {strategy} | {' | '.join(cells)} |"


def table(found: Retrospective) -> str:
    budgets = [
        f"{text} ({band.n_cases:.0f} cases)"
        for text, band in zip(found.budgets, found.bands, strict=True)
    ]
    lines = [f"| | {' | '.join(budgets)} | area |", f"|---|{'---|' * (len(budgets) + 1)}"]
    medians = [f"{band.median:.3f} (sd of one draw {band.spread:.3f})" for band in found.bands]
    lines.append(f"| median random draw: Dice | {' | '.join(medians)} | |")
    lines += [row(found, o.strategy) for o in found.at(found.main_budget)]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cohort")
    parser.add_argument("--work", type=Path, required=True, help="folder for images and results")
    parser.add_argument("--leave-out", action="append", default=[])
    parser.add_argument("--labels")
    parser.add_argument("--estimator", default="gaussian")
    parser.add_argument("--learner", choices=["linear", "network"], default="linear")
    options = parser.parse_args(arguments)
    kind = options.estimator if options.learner == "linear" else f"{options.estimator}-network"
    run = options.work / f"{Path(options.cohort).name}-{kind}"
    words = ["retrospect", options.cohort, *DESIGNS[options.learner]]
    words += ["--output", str(run), "--record", str(options.work / "record")]
    words += ["--estimator", options.estimator]
    words += [word for case in options.leave_out for word in ("--leave-out", case)]
    words += ["--labels", options.labels] if options.labels else []
    code = mdal_selector(words)
    if code:
        return code
    found = read_retrospective(run / JSON_NAME)
    print(f"{table(found)}\n\nAll labels: {found.bands[0].full:.3f}.\n\n{found.sentence}\n")
    print("\n".join(f"- {note}" for note in found.notes))
    print(f"\n{', '.join(f'{name} {version}' for name, version in found.versions.items())}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
