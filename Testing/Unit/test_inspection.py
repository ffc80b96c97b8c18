from __future__ import annotations

import argparse
import io
import json
import os
import resource
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from rich.console import Console

from MDALSelectorLib.commands.inspect import add_inspect_arguments, run_inspect
from MDALSelectorLib.inspection.cohort_inspection import (
    InspectionOptions,
    InspectionReport,
    inspect_cohort,
)
from MDALSelectorLib.inspection.geometry import OWN_GRID
from MDALSelectorLib.inspection.tables import print_inspection
from MultimodalImagingLib.cohorts.case_names import RULE
from MultimodalImagingLib.cohorts.modality_patterns import parse_pattern
from MultimodalImagingLib.errors import CohortError, UsageError
from MultimodalImagingLib.images.geometry_checks import Verdict
from MultimodalImagingLib.jobs.progress import JsonLinesReporter, NullReporter, Reporter

SOURCE = Path(__file__).parents[2] / "MDALSelector"

RUN = """
import argparse, sys
from MDALSelectorLib.commands.inspect import add_inspect_arguments, run_inspect
from MultimodalImagingLib.cohorts.modality_patterns import parse_pattern
from MultimodalImagingLib.jobs.progress import NullReporter
parser = argparse.ArgumentParser()
add_inspect_arguments(parser)
code = run_inspect(parser.parse_args(), NullReporter())
heavy = {"torch", "monai", "scipy", "sklearn", "plotly", "pandas"} & set(sys.modules)
sys.exit(f"imported {heavy}" if heavy else code)
"""


def _seed(path: Path) -> int:
    """Equal images would be a copy mistake."""
    return zlib.crc32(f"{path.parent.name}/{path.name}".encode())


def image(
    path: Path, *, spacing: float = 1.0, shift: float = 0.0, fill: float | None = None
) -> None:
    """Write an image of 24 mm along every axis."""
    path.parent.mkdir(parents=True, exist_ok=True)
    n = round(24 / spacing)
    values = np.random.default_rng(_seed(path)).normal(size=(n, n, n)).astype(np.float32)
    picture = sitk.GetImageFromArray(values if fill is None else np.full_like(values, fill))
    picture.SetSpacing((spacing,) * 3)
    picture.SetOrigin((spacing / 2 + shift,) * 3)
    sitk.WriteImage(picture, str(path))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Fourteen cases: four on one grid, eight with a coarser PET, one shifted, one without PET."""
    folder = tmp_path / "cohort"
    for number in range(14):
        case = folder / f"p{number // 2}_visit{number % 2 + 1}"
        image(case / "ct.nii.gz")
        image(case / "seg.nii.gz", fill=1)
        image(case / "seg_pet.nii.gz", fill=1)
        if number != 13:
            spacing = 1.0 if number < 4 else 3.0
            image(case / "pet.nii.gz", spacing=spacing, shift=12.0 if number == 12 else 0.0)
    image(folder / "p0_visit1" / "odd.nii.gz")
    (folder / "p1_visit1" / "seg.nii.gz").unlink()
    image(folder / "p1_visit1" / "seg_pet.nii.gz", spacing=2.0, fill=1)
    return folder


def printed(report: InspectionReport, *, show_all: bool = False) -> str:
    stream = io.StringIO()
    print_inspection(report, Console(file=stream, width=120), show_all=show_all)
    return stream.getvalue()


def run(arguments: list[str], reporter: Reporter | None = None) -> int:
    parser = argparse.ArgumentParser()
    add_inspect_arguments(parser)
    parser.add_argument("--events", action="store_true")
    return run_inspect(parser.parse_args(arguments), reporter or NullReporter())


def test_the_report_counts_cases_modalities_labels_and_patients(root: Path) -> None:
    report = inspect_cohort(root)
    assert report.summary == "14 cases × 2 modalities (CT, PET), 14 labels"  # noqa: RUF001
    assert report.geometry.verdicts == {
        Verdict.SAME_GRID: 5,
        Verdict.SAME_SPACE: 8,
        Verdict.PARTIAL: 1,
    }
    assert report.geometry.labels_on == {"CT": 13, OWN_GRID: 1}
    assert [(m.modality, m.n_images) for m in report.geometry.modalities] == [
        ("CT", 14),
        ("PET", 13),
    ]
    pet = report.geometry.modalities[1]
    assert (pet.size, pet.spacing_mm) == ("8-24 x 8-24 x 8-24", "1-3 x 1-3 x 1-3")
    assert pet.extent_mm == "24 x 24 x 24"
    assert pet.orientations == {"LPS": 13}


def test_the_report_says_how_cases_can_be_grouped(tmp_path: Path) -> None:
    rows = ["case,CT,site,age"]
    for number in range(6):
        path = tmp_path / f"p{number}" / "ct.nii.gz"
        image(path)
        rows.append(f"p{number},{path},S{number % 2},{number}")
    manifest = tmp_path / "cohort.csv"
    manifest.write_text("\n".join(rows), encoding="utf-8")
    report = inspect_cohort(manifest)
    assert report.to_json()["groupings"] == {"site": 2}
    text = io.StringIO()
    print_inspection(report, Console(file=text, width=200))
    assert "Cases differ in site (2 groups); `select --within`" in text.getvalue()


def test_the_report_says_what_every_name_was_taken_for(root: Path) -> None:
    uses = [
        (use.target, use.part, use.is_used, use.n_files, use.example)
        for use in inspect_cohort(root).patterns
    ]
    assert uses == [
        ("CT", "ct", True, 14, "ct.nii.gz"),
        ("PET", "pet", True, 13, "pet.nii.gz"),
        ("label", "seg", True, 14, "seg.nii.gz"),
        ("label", "seg", False, 13, "seg_pet.nii.gz"),
        (None, "odd", False, 1, "odd.nii.gz"),
    ]


def test_the_part_that_a_contrast_word_decides_can_be_corrected(root: Path) -> None:
    image(root / "p0_visit1" / "t1_mprage_post.nii.gz")
    (use,) = [use for use in inspect_cohort(root).patterns if use.target == "T1c"]
    assert use.part == "t1_mprage_post"
    rows = (parse_pattern(f"{use.part}=T1"),)
    corrected = inspect_cohort(root, options=InspectionOptions(modality_rows=rows))
    assert corrected.cohort.modalities == ("CT", "PET", "T1")


def test_a_screen_shows_the_essentials_and_all_shows_everything(root: Path) -> None:
    report = inspect_cohort(root)
    text = printed(report)
    assert "14 cases × 2 modalities (CT, PET), 14 labels" in text  # noqa: RUF001
    assert "layout: folder per case, 7 patients." in text
    assert RULE in text
    assert "Geometry: 5 cases with all modalities on one grid." in text
    assert "Geometry: 1 case with modalities on different grids that overlap in part." in text
    assert "Label maps: 13 on the grid of CT, 1 on its own grid." in text
    assert "PET missing in p6_visit2" in text
    assert "No pattern tells the modality of odd.nii.gz" in text
    assert "and 8 more: Further masks are not used: seg_pet.nii.gz" in text
    assert len(text.splitlines()) <= 45
    everything = printed(report, show_all=True)
    assert "more; --all shows them" not in everything
    assert "p5_visit2, p6_visit1, p6_visit2: Further masks" in everything


def test_more_differing_cases_than_fit_on_a_screen_are_counted(root: Path) -> None:
    for number in range(20, 24):
        image(root / f"p{number}" / "ct.nii.gz")
        image(root / f"p{number}" / "pet.nii.gz", spacing=2.0)
    assert "... and 7 more; --all shows them." in printed(inspect_cohort(root))


def test_patterns_of_the_command_line_come_first(root: Path) -> None:
    report = inspect_cohort(
        root,
        options=InspectionOptions(
            modality_rows=(parse_pattern("odd=ADC"), parse_pattern("seg_pet=ignore"))
        ),
    )
    assert report.cohort.modalities == ("ADC", "CT", "PET")
    assert {problem.severity for problem in report.problems} == set()
    with pytest.raises(UsageError, match="Expected PATTERN=NAME"):
        run([str(root), "--modality", "odd"])


def test_voxels_are_read_only_on_request(root: Path) -> None:
    image(root / "p2_visit1" / "pet.nii.gz", fill=7)
    image(root / "p2_visit2" / "seg.nii.gz", fill=0)
    assert not [
        p for p in inspect_cohort(root).problems if p.case_id == "p2_visit1" and "7" in p.message
    ]
    stream = io.StringIO()
    deep = inspect_cohort(
        root, options=InspectionOptions(is_deep=True), reporter=JsonLinesReporter(stream)
    )
    texts = [str(problem) for problem in deep.problems]
    assert "pet.nii.gz, found the same value 7 in all voxels" in texts[0]
    assert any("seg.nii.gz, found an empty mask" in text for text in texts)
    assert [p.severity for p in deep.problems] == sorted(
        (p.severity for p in deep.problems), key=["error", "warning", "info"].index
    )
    events = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert events[-1]["done"] == events[-1]["total"] == 14


def test_json_holds_the_same_and_no_path_of_this_computer(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([str(root), "--json"]) == 0
    text = capsys.readouterr().out
    content = json.loads(text)
    assert str(root.parent) not in text
    assert (content["n_cases"], content["n_labels"], content["n_patients"]) == (14, 14, 7)
    assert content["incomplete"] == {"p6_visit2": ["PET"]}
    assert content["cases"][0]["grids"]["CT"]["size"] == [24, 24, 24]
    assert content["problems"][0]["file"] == "p0_visit1/odd.nii.gz"
    assert content == json.loads(json.dumps(inspect_cohort(root).to_json()))


def test_events_hand_the_report_over_as_the_result(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([str(root), "--events"], JsonLinesReporter()) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {line["event"] for line in lines[:-1]} == {"progress"}
    assert lines[-1]["event"] == "result"
    assert lines[-1]["summary"] == inspect_cohort(root).summary


def test_a_corrected_table_can_be_kept_for_the_next_time(root: Path) -> None:
    assert run([str(root), "--modality", "odd=ADC", "--save-modalities", "--json"]) == 0
    assert (root / ".crossmodal" / "modalities.json").is_file()
    assert inspect_cohort(root).cohort.modalities == ("ADC", "CT", "PET")


def test_inspecting_writes_nothing(root: Path) -> None:
    before = sorted(root.rglob("*"))
    assert run([str(root), "--deep", "--json"]) == 0
    assert sorted(root.rglob("*")) == before


def test_an_empty_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CohortError, match="Expected a cohort in"):
        run([str(tmp_path)])


def test_a_single_case_of_one_modality_is_written_in_the_singular(tmp_path: Path) -> None:
    image(tmp_path / "a" / "ct.nii.gz")
    report = inspect_cohort(tmp_path)
    assert report.summary == "1 case × 1 modality (CT), 0 labels"  # noqa: RUF001
    assert "Expected several cases, found one" in printed(report)


def test_names_are_printed_as_they_are(tmp_path: Path) -> None:
    for case in ("[bold]Köln[", "b"):
        image(tmp_path / case / "ct.nii.gz")
        image(tmp_path / case / "pet.nii.gz", spacing=2.0)
    assert "[bold]Köln[" in printed(inspect_cohort(tmp_path))


@pytest.mark.cohort
@pytest.mark.parametrize(
    ("name", "summary", "geometry"),
    [
        (
            "sts51",
            "51 cases × 3 modalities (CT, PET, T1), 51 labels",  # noqa: RUF001
            "Geometry: 51 cases with all modalities on one grid.",
        ),
        (
            "sts51_native",
            "10 cases × 3 modalities (CT, PET, T1), 10 labels",  # noqa: RUF001
            "Geometry: 9 cases with modalities on different grids in the same space.",
        ),
        (
            "ms3",
            "3 cases × 4 modalities (FLAIR, T1, T1c, T2), 3 labels",  # noqa: RUF001
            "Geometry: 3 cases with all modalities on one grid.",
        ),
    ],
)
def test_real_cohorts_are_inspected_in_seconds_without_torch(
    real_cohorts: Path, name: str, summary: str, geometry: str
) -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    process = subprocess.run(
        [sys.executable, "-c", RUN, str(real_cohorts / name)],
        env={**os.environ, "PYTHONPATH": str(SOURCE), "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert process.returncode == 0, process.stderr
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before < 10.0
    assert process.stdout.splitlines()[0] == summary
    assert geometry in process.stdout
    assert process.stderr == ""
