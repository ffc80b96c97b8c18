"""Ready-made cohorts and runs for tests of the panels."""

from __future__ import annotations

from pathlib import Path

import numpy as np


class Inspected:
    """An inspection that is done, as the panel gets it from its job."""

    def __init__(self, cohort: Path) -> None:
        from MDALSelectorLib.inspection.cohort_inspection import inspect_cohort

        self.result = inspect_cohort(cohort).to_json()
        self.arguments = ("MDALSelectorLib", "inspect", str(cohort))


def make_selection(n_cases: int, *, seed: int = 0, n_suggested: int | None = None):
    """Make a selection of made-up cases; the first that is not suggested has a doubtful pairing."""
    from MDALSelectorLib.case_flags import Flag
    from MDALSelectorLib.selection.budget import Budget
    from MDALSelectorLib.selection.case_selection import CaseSelection, RankedCase
    from MDALSelectorLib.selection.diagnostics import Diagnostics, PairDiagnostics, Trust

    generator = np.random.default_rng(seed)
    suggested = max(1, n_cases // 5) if n_suggested is None else n_suggested
    numbers = generator.permutation(n_cases)
    cases = []
    for index in range(n_cases):
        difference, component = (float(value) for value in generator.normal(size=2))
        is_doubtful = index == suggested
        flags = (Flag("check pairing", "CT and PET share 4 nats too little."),) * is_doubtful
        cases.append(
            RankedCase(
                rank=index + 1,
                case_id=f"case-{numbers[index] + 1:04d}",
                patient_id=f"p{numbers[index]}",
                suggested=index < suggested,
                labelled=False,
                measures={"modality_difference": round(difference, 4)}
                if index < n_cases - 1
                else {},
                pmi={("CT", "PET"): round(1.0 - difference, 4)},
                z={("CT", "PET"): round(-difference, 4)},
                components=(round(component, 4), 0.0),
                flags=flags,
                reason=f"Difference {difference:.2f}, number {index + 1} of {n_cases}.",
                thumbnail=f"case-{numbers[index] + 1:04d}.png",
            )
        )
    pair = PairDiagnostics(("CT", "PET"), n_cases, is_used=True, bound_nats=1.2, median_nats=1.0)
    return CaseSelection(
        cohort="made-up",
        modalities=("CT", "PET"),
        strategy="DiverseMD",
        budget=Budget(suggested, f"{suggested} of {n_cases} cases"),
        seed=seed,
        cases=tuple(cases),
        diagnostics=Diagnostics(
            estimator="gaussian",
            bounds_nats={"gaussian": 1.2},
            null_bound_nats=0.1,
            rank_correlation=None,
            r12_disjoint=0.8,
            r12_repeats=0.9,
            n_folds=5,
            n_repeats=3,
            pairs=(pair,),
        ),
        trust=Trust("good", "The ranking can be trusted: its bound is 1.2 nats."),
    )


def write_run(folder: Path, n_cases: int, *, with_pictures: bool = True) -> Path:
    """Write the folder of a run, with one small picture per case."""
    import SimpleITK as sitk  # noqa: N813

    from MDALSelectorLib.selection.run_folder import write_selection

    selection = make_selection(n_cases)
    write_selection(folder, selection)
    (folder / "report.html").write_text("<html>report</html>", encoding="utf-8")
    if with_pictures:
        (folder / "thumbnails").mkdir(exist_ok=True)
        ramp = np.tile(np.linspace(0, 255, 324, dtype=np.uint8), (160, 1))
        sitk.WriteImage(sitk.GetImageFromArray(ramp), str(folder / "ramp.png"))
        data = (folder / "ramp.png").read_bytes()
        for case in selection.cases:
            (folder / "thumbnails" / str(case.thumbnail)).write_bytes(data)
    return folder


def write_mapped_run(folder: Path, n_cases: int) -> Path:
    """Write a run of the local estimator; the suggested cases have a map of CT and PET.

    The maps lie on the grid of `write_small_cohort`; their PMI is lowest at its last corner.
    """
    from dataclasses import replace

    from MDALSelectorLib.selection.run_folder import map_places, write_selection
    from MultimodalImagingLib.images.geometry import Grid, Volume
    from MultimodalImagingLib.images.volume_io import write_volume

    write_run(folder, n_cases, with_pictures=False)
    made = make_selection(n_cases)
    local = replace(made.diagnostics, estimator="local", bounds_nats={"local": 1.2})
    selection = replace(made, diagnostics=local)
    write_selection(folder, selection)
    grid = Grid(SMALL_SIZE, SMALL_SPACING_MM, (0.0, 0.0, 0.0), (1.0, 0, 0, 0, 1.0, 0, 0, 0, 1.0))
    values = 3.0 - np.indices(grid.array_shape).sum(axis=0).astype(np.float32) / 12
    values[:, :3] = 0.0
    for case in selection.suggested:
        for place in map_places(str(case.thumbnail), selection.pairs).values():
            (folder / place).parent.mkdir(parents=True, exist_ok=True)
            write_volume(folder / place, Volume(values, grid))
    return folder


SMALL_SIZE, SMALL_SPACING_MM = (22, 24, 20), (4.0, 4.0, 5.0)


def write_small_cohort(folder: Path, n_cases: int = 3) -> Path:
    """Write a cohort of CT and PET with label maps, small enough to open in no time."""
    import SimpleITK as sitk  # noqa: N813

    generator = np.random.default_rng(5)
    for number in range(1, n_cases + 1):
        case = folder / f"case-{number:04d}"
        case.mkdir(parents=True)
        for name in ("ct", "pet"):
            image = sitk.GetImageFromArray(generator.normal(size=(20, 24, 22)).astype(np.float32))
            image.SetSpacing(SMALL_SPACING_MM)
            sitk.WriteImage(image, str(case / f"{name}.nii.gz"))
        label = np.zeros((20, 24, 22), dtype=np.uint8)
        label[5:12, 6:14, 7 : 12 + number] = 1
        image = sitk.GetImageFromArray(label)
        image.SetSpacing(SMALL_SPACING_MM)
        sitk.WriteImage(image, str(case / "seg.nii.gz"))
    return folder
