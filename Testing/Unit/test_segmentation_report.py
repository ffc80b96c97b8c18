"""The report: pictures at the right place with the right colors, tables that add up."""

from __future__ import annotations

import base64
import html.parser
import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from example_segmentation import BODY, LESION, bright_voxels, grid, rotation, write_case
from html_ids import repeated_ids

from CIMLSegmentLib.__main__ import main
from CIMLSegmentLib.config import InferenceConfig
from CIMLSegmentLib.inference.segment_case import segment_case
from CIMLSegmentLib.results import segmentation_report
from CIMLSegmentLib.results.map_kinds import COLORS
from CIMLSegmentLib.results.map_pictures import (
    best_plane,
    color_of,
    gray_picture,
    jpeg,
    plain,
    region_rims,
    top_of_maps,
    with_map,
    with_outlines,
    with_reference,
)
from CIMLSegmentLib.results.report_pictures import short_number
from CIMLSegmentLib.results.result_io import write_result
from CIMLSegmentLib.results.segmentation_report import share_table
from CIMLSegmentLib.results.segmentation_result import Contribution, read_result
from CIMLSegmentLib.task.regions import region_masks
from CIMLSegmentLib.task.task import Task
from CIMLSegmentLib.task.task_io import load_task
from MultimodalImagingLib.images.geometry import Grid, Volume
from MultimodalImagingLib.jobs.progress import NullReporter

IDENTITY = tuple(np.eye(3).ravel())
GRID = Grid((40, 30, 20), (1.0, 1.0, 2.0), (0.0, 0.0, 0.0), IDENTITY)
PLANE = Grid((40, 40, 1), (1.0, 1.0, 2.0), (0.0, -5.0, 20.0), IDENTITY)


def labels_with_box() -> Volume:
    labels = np.zeros(GRID.array_shape, np.uint8)
    labels[8:12, 10:20, 5:15] = 1
    labels[10, 8:22, 5:15] = 1  # the largest area
    return Volume(labels, GRID)


def side_of(plane: Grid) -> float:
    return plane.size[0] * plane.spacing_mm[0]


def rims_of_box(task: Task) -> Mapping[str, np.ndarray]:
    return region_rims(region_masks(labels_with_box().array, task), GRID, PLANE)


def test_the_plane_shows_the_largest_segmented_area() -> None:
    plane = best_plane(labels_with_box())
    assert plane.origin_mm[2] == pytest.approx(20)  # slice 10 of 2 mm
    center = np.array(plane.origin_mm[:2]) + side_of(plane) / 2
    assert np.allclose(center, [20, 15], atol=1)  # the field is as large as the slice
    assert side_of(plane) == pytest.approx(40)


def test_the_plane_of_an_empty_result_is_in_the_middle() -> None:
    empty = Volume(np.zeros(GRID.array_shape, np.uint8), GRID)
    assert best_plane(empty).origin_mm[2] == pytest.approx(20)


def test_the_field_follows_a_small_region_in_a_large_image() -> None:
    big = Grid((400, 300, 10), (1.0, 1.0, 3.0), (0.0, 0.0, 0.0), IDENTITY)
    labels = np.zeros(big.array_shape, np.uint8)
    labels[4, 200:210, 300:320] = 1
    plane = best_plane(Volume(labels, big))
    assert side_of(plane) == pytest.approx(100)
    center = np.array(plane.origin_mm[:2]) + side_of(plane) / 2
    assert np.allclose(center, [310, 205], atol=1)


def test_left_in_the_picture_is_the_right_of_the_patient_in_every_orientation() -> None:
    for direction in (np.eye(3), np.diag([-1.0, -1, 1]), rotation(20, (0, 0, 1))):
        on = grid((40, 40, 20), (1.0, 1.0, 2.0), direction, (0.0, 0.0, 0.0))
        index = np.stack(np.meshgrid(*(np.arange(n) for n in on.array_shape), indexing="ij"), -1)
        lps = (index[..., ::-1] @ on.index_to_lps[:3, :3].T) + on.origin_mm
        to_left = Volume(np.clip(lps[..., 0] + 20, 0, 40).astype(np.float32), on)
        labels = Volume((np.linalg.norm(lps, axis=-1) < 8).astype(np.uint8), on)
        plane = best_plane(labels)
        picture = gray_picture(to_left, plane, kind="MR")
        assert picture[140:150, 200].mean() > picture[140:150, 80].mean() + 0.1


def test_ct_and_pet_have_fixed_windows() -> None:
    ramp = np.zeros(GRID.array_shape, np.float32)
    ramp[:] = np.linspace(-1000, 1000, 40)
    row = gray_picture(Volume(ramp, GRID), PLANE, kind="CT")[20]
    expected = np.clip((np.linspace(-1000, 1000, 40) + 160) / 400, 0, 1)
    assert np.allclose(row, expected, atol=0.01)
    uptake = Volume(np.full(GRID.array_shape, 2.5, np.float32), GRID)
    assert gray_picture(uptake, PLANE, kind="PET")[20, 20] == pytest.approx(0.75)


def test_outlines_lie_on_the_rim_of_the_region_in_its_color() -> None:
    task = load_task("pet-ct")
    black = np.zeros((40, 40, 3), np.uint8)
    drawn = with_outlines(black, rims_of_box(task), task)
    colored = (drawn == task.regions[0].color).all(axis=2)
    rows, columns = np.nonzero(colored)
    assert (rows.min(), rows.max()) == (8 + 5, 21 + 5)  # the plane begins 5 mm before the image
    assert (columns.min(), columns.max()) == (5, 14)
    assert not colored[5 + 12 : 5 + 18, 8:12].any()  # inside stays visible
    assert drawn[~colored].sum() == 0


def test_maps_are_transparent_at_0_and_reach_the_last_color_at_the_top() -> None:
    shown = np.zeros(GRID.array_shape, np.float32)
    shown[:, :, 20:] = 4.0
    gray = np.full((40, 40), 0.5, np.float32)
    picture = with_map(gray, Volume(shown, GRID), PLANE, top=2.0, colors="Inferno")
    assert np.array_equal(picture[20, 5], [128, 128, 128])
    last = np.array([0xFC, 0xFF, 0xA4])
    assert np.allclose(picture[20, 30], 0.75 * last + 0.25 * 127.5, atol=1)


def test_colors_run_through_their_support_points() -> None:
    for colors, codes in COLORS.items():
        points = [[int(code[n : n + 2], 16) for n in (0, 2, 4)] for code in codes]
        found = color_of(np.linspace(0, 1, 10, dtype=np.float32), colors) * 255
        assert np.allclose(found, points, atol=1e-3)


def test_one_scale_serves_all_maps() -> None:
    weak, strong = np.zeros((10, 10, 10), np.float32), np.zeros((10, 10, 10), np.float32)
    weak[0], strong[0] = 1.0, 8.0
    small = Grid((10, 10, 10), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), IDENTITY)
    volumes = [Volume(weak, small), Volume(strong, small)]
    assert top_of_maps(volumes) == pytest.approx(8)
    assert top_of_maps([Volume(np.zeros((10, 10, 10), np.float32), small)]) == 1


def test_jpeg_keeps_colors_and_size(tmp_path: Path) -> None:
    picture = plain(np.full((32, 48), 0.25, np.float32))
    picture[:, 24:] = (200, 30, 40)
    path = tmp_path / "x.jpg"
    path.write_bytes(jpeg(picture))
    back = sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
    assert back.shape == picture.shape
    assert np.abs(back[:, :20].astype(int) - picture[:, :20]).max() <= 8
    assert np.abs(back[:, 28:].astype(int) - picture[:, 28:]).max() <= 8


def test_rows_of_the_table_follow_the_task() -> None:
    entries = [
        Contribution("ET", "T1c", "T2", 3.0, 0.75),
        Contribution("WT", "FLAIR", "T1", 1.0, None),
        Contribution("ET", "T1c", "T1", 1.0, 0.25),
    ]
    rows = share_table(entries, load_task("brats"))
    assert [(row.auxiliary, row.primary) for row in rows] == [
        *(("T1c", "FLAIR"), ("T1", "FLAIR"), ("T2", "FLAIR")),
        *(("FLAIR", "T1c"), ("T1", "T1c"), ("T2", "T1c")),
    ]
    assert rows[5].cells["ET"].share == 0.75
    assert "WT" not in rows[5].cells


def test_numbers_are_short() -> None:
    values = [0.0012345, 0.5, 12.345, 123.4, 22900.7, 2e7]
    expected = ["0.00123", "0.5", "12.3", "123", "22901", "2e+07"]
    assert [short_number(value) for value in values] == expected


class _Page(html.parser.HTMLParser):
    """Collects what a browser would load, and the text."""

    def __init__(self) -> None:
        super().__init__()
        self.sources: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.sources += [value or "" for name, value in attrs if name in ("src", "srcset")]
        assert tag not in ("script", "link", "iframe", "object")

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture
def results(tmp_path: Path) -> Path:
    for case_id in ("a&b", "c"):
        case = write_case(tmp_path / "cohort" / case_id, grid())
        case = type(case)(case_id, case_id, case.images)
        config = InferenceConfig(device="cpu", maps=True)
        result = segment_case(case, bright_voxels(), config, reporter=NullReporter())
        write_result(result, tmp_path / "out")
    return tmp_path / "out"


def test_the_page_shows_every_case_and_loads_nothing(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evaluation = {
        "summary": [
            {
                "region": "lesion",
                "n_cases": 2,
                "dice_mean": 0.875,
                "dice_sd": 0.1,
                "dice_median": 0.9,
                "hd95_mean_mm": 3.25,
                "hd95_median_mm": 3.0,
                "dsc_agg": 0.88,
            }
        ],
        "scores": [
            {
                "case_id": "c",
                "region": "lesion",
                "dice": 0.77,
                "hd95_mm": 4.2,
                "predicted_ml": 1.0,
                "reference_ml": 1.0,
                "common_ml": 0.77,
            }
        ],
        "n_cases": 2,
        "rules": "Rules.",
    }
    (results / "evaluation.json").write_text(json.dumps(evaluation))
    assert main(["report", str(results), "--images", str(tmp_path / "cohort"), "--events"]) == 0
    event = json.loads(capsys.readouterr().out.splitlines()[-1])
    source = Path(event["report"]).read_text(encoding="utf-8")
    page = _Page()
    page.feed(source)
    assert len(page.sources) == 2 * (2 + 1 + 1 + 1)  # PET, CT, influence, attention, information
    assert all(s.startswith("data:image/jpeg;base64,") for s in page.sources)
    assert "a&b" in page.text
    assert "(Dice 0.77, HD95 4 mm)" in page.text
    assert "Model attribution, not clinical evidence." in page.text
    assert "0.875 ± 0.100" in page.text
    assert "100 %" in page.text
    assert "default-src 'none'" in source
    assert not re.search(r"https?://", source)
    assert not repeated_ids(source)


def test_the_picture_of_the_page_shows_the_lesion_where_it_is(
    results: Path, tmp_path: Path
) -> None:
    main(["report", str(results), "--images", str(tmp_path / "cohort"), "--events"])
    page = _Page()
    page.feed((results / "report.html").read_text(encoding="utf-8"))
    path = tmp_path / "pet.jpg"
    path.write_bytes(base64.b64decode(page.sources[0].split(",")[1]))
    picture = sitk.GetArrayFromImage(sitk.ReadImage(str(path))).astype(int)
    rows, columns = np.nonzero(picture.max(axis=2) < 140)  # dark is hot
    pixel = 60 / 288 if picture.shape[0] == 288 else np.nan
    side = 34 * 2.0  # the slice is smaller than the least field
    offset = (np.array([columns.mean(), rows.mean()]) + 0.5) * side / 288
    corner = np.array([BODY[0] - side / 2, BODY[1] - side / 2])
    assert not np.isnan(pixel)
    assert np.allclose(corner + offset, LESION[:2], atol=2)


def test_a_case_without_images_is_described_without_pictures(results: Path, tmp_path: Path) -> None:
    one = tmp_path / "cohort" / "c"
    main(["report", str(results), "--images", str(one), "--events"])
    text = (results / "report.html").read_text(encoding="utf-8")
    assert "Its images were not given" in text
    assert text.count("<img") == 5


def test_nothing_to_report_is_explained(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_case(tmp_path / "cohort" / "a", grid())
    arguments = ["report", str(tmp_path), "--images", str(tmp_path / "cohort"), "--events"]
    assert main(arguments) == 2
    assert "found none" in capsys.readouterr().out


def test_chosen_cases_are_shown_with_the_reference(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "references").mkdir()
    shutil.copy(read_result(results / "c").label_map, tmp_path / "references" / "c.nii.gz")
    page = tmp_path / "c.html"
    arguments = ["report", str(results), "--images", str(tmp_path / "cohort"), "--events"]
    arguments += ["--reference", str(tmp_path / "references"), "--output", str(page)]
    assert main([*arguments, "--case", "c"]) == 0
    text = page.read_text(encoding="utf-8")
    assert "and the reference (white dots)" in text
    assert text.count("<img") == 5
    assert "a&amp;b" not in text
    assert not (results / "report.html").exists()
    assert main([*arguments, "--case", "nobody"]) == 2
    assert "Correct --case." in capsys.readouterr().out


def test_the_reference_is_drawn_as_white_dots_on_its_rim() -> None:
    task = load_task("pet-ct")
    drawn = with_reference(np.zeros((40, 40, 3), np.uint8), rims_of_box(task))
    rows, columns = np.nonzero((drawn == 255).all(axis=2))
    outline = with_outlines(np.zeros((40, 40, 3), np.uint8), rims_of_box(task), task)
    on_rim = outline.any(axis=2)
    assert on_rim[rows, columns].all()
    assert 0.3 < len(rows) / on_rim.sum() < 0.7


def test_a_page_has_pictures_of_so_many_cases_only(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segmentation_report, "MOST_PICTURED", 1)
    main(["report", str(results), "--images", str(tmp_path / "cohort"), "--events"])
    text = (results / "report.html").read_text(encoding="utf-8")
    assert text.count("<img") == 5
    assert "Choose with --case." in text
    assert ">c</h2>" in text
