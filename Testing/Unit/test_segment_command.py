"""The command `segment`: what goes in, what comes out, and what it says when it cannot."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from example_segmentation import LESION, Model, bright_voxels, grid, rotation, write_case

from CIMLSegmentLib.__main__ import main
from CIMLSegmentLib.inference.case_input import case_of_images, cases_of_path, chosen_cases
from CIMLSegmentLib.results.segmentation_result import read_result
from MultimodalImagingLib.errors import CohortError, UsageError
from MultimodalImagingLib.images.geometry import Volume
from MultimodalImagingLib.images.volume_io import write_volume
from MultimodalImagingLib.jobs import progress


@pytest.fixture(autouse=True)
def _all_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    """Write every step, however quickly one follows the other."""
    monkeypatch.setattr(progress.JsonLinesReporter, "_is_due", lambda _self: True)


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Models that were loaded; each is the network that finds bright voxels."""
    folders: list[Path] = []

    def load_model(folder: Path) -> Model:
        folders.append(folder)
        return bright_voxels()

    monkeypatch.setattr("CIMLSegmentLib.model.model.load_model", load_model)
    return folders


@pytest.fixture
def cohort(tmp_path: Path) -> Path:
    for case_id in ("a", "b", "c"):
        write_case(tmp_path / "cohort" / case_id, grid())
    return tmp_path / "cohort"


def run(*arguments: object, events: bool = True) -> int:
    texts = [str(argument) for argument in arguments]
    return main(["segment", *texts, "--model", "model", "--device", "cpu"] + ["--events"] * events)


def events_of(capsys: pytest.CaptureFixture[str]) -> list[dict]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_cohort_is_segmented_case_by_case(
    cohort: Path, tmp_path: Path, loaded: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(cohort, "--output", tmp_path / "out", "--attention") == 0
    events = events_of(capsys)
    assert loaded == [Path("model")]
    assert [path.name for path in sorted((tmp_path / "out").iterdir())] == ["a", "b", "c"]
    finished = [e["case"] for e in events if e["event"] == "result" and "case" in e]
    assert finished == ["a", "b", "c"]
    assert events[-1]["done"] == ["a", "b", "c"]
    progress = [e for e in events if e["event"] == "progress"]
    assert {e["stage"] for e in progress} == {"Find cases", "Segment cases"}
    counts = [(e["done"], e["total"]) for e in progress if e["stage"] == "Segment cases"]
    assert counts[0] == (0, 3)  # cases, not windows
    assert counts[-1] == (3, 3)
    assert {e["n_steps"] for e in progress[2:]} == {2}
    assert {e["part"][0] for e in progress if "part" in e} == {"window"}
    shares = [e["share"] for e in progress if e["share"] is not None]
    assert shares == sorted(shares)
    stored = read_result(tmp_path / "out" / "a")
    assert [m.key.kind for m in stored.maps] == ["influence", "attention", "information"]
    assert stored.volumes_ml["lesion"] > 0


def test_a_batch_that_is_started_again_counts_the_cases_that_it_has_and_keeps_them(
    cohort: Path, tmp_path: Path, loaded: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(cohort, "--case", "a", "--output", tmp_path / "out") == 0
    before = (tmp_path / "out" / "a" / "result.json").read_bytes()
    events_of(capsys)
    assert run(cohort, "--output", tmp_path / "out") == 0
    events = events_of(capsys)
    assert (events[-1]["kept"], events[-1]["done"]) == (["a"], ["b", "c"])
    assert (tmp_path / "out" / "a" / "result.json").read_bytes() == before
    progress = [e for e in events if e.get("stage") == "Segment cases"]
    assert all(e["done"] >= 1 for e in progress if "part" in e)  # the first case is kept
    assert (progress[-1]["done"], progress[-1]["total"]) == (3, 3)


def test_one_case_comes_from_its_folder(cohort: Path, tmp_path: Path, loaded: list[Path]) -> None:
    assert run(cohort / "b", "--output", tmp_path / "out") == 0
    assert read_result(tmp_path / "out" / "b").case_id == "b"


SPACES = {
    "oblique and flipped.nii.gz": (1.5, 2.0, 3.5),
    "right-anterior-superior.nrrd": (2.0, 2.0, 2.0),
    "anisotropic sagittal.mha": (0.9, 1.4, 4.0),
}


@pytest.mark.parametrize("name", SPACES)
def test_written_files_lie_where_simpleitk_sees_the_primary(
    tmp_path: Path, loaded: list[Path], name: str
) -> None:
    axes = {
        "oblique and flipped.nii.gz": rotation(25, (0.3, -0.5, 0.8)) @ np.diag([-1.0, -1.0, 1.0]),
        "right-anterior-superior.nrrd": np.diag([-1.0, -1.0, 1.0]),
        "anisotropic sagittal.mha": np.eye(3)[:, [1, 2, 0]],
    }[name]
    size = tuple(round(76 / spacing) for spacing in SPACES[name])
    case = write_case(tmp_path / "case", grid(size, SPACES[name], axes))
    primary = sitk.ReadImage(str(case.images["PET"].path))
    case.images["PET"].path.unlink()
    sitk.WriteImage(primary, str(tmp_path / name))
    images = ["--image", f"PET={tmp_path / name}", "--image", f"CT={case.images['CT'].path}"]
    assert run(*images, "--case-id", "c", "--output", tmp_path / "out", "--attention") == 0
    written = [*(tmp_path / "out" / "c").glob("*.nii.gz"), tmp_path / "out/c/segmentation.seg.nrrd"]
    assert len(written) == 5
    for path in written:
        image = sitk.ReadImage(str(path))
        assert image.GetSize() == primary.GetSize(), path.name
        for part in ("GetSpacing", "GetOrigin", "GetDirection"):
            assert getattr(image, part)() == pytest.approx(getattr(primary, part)(), abs=1e-4)
    for path in (tmp_path / "out/c/segmentation.nii.gz", tmp_path / "out/c/segmentation.seg.nrrd"):
        labels = sitk.ReadImage(str(path))
        if path.suffix == ".nrrd":  # layers of segments
            labels = sitk.VectorIndexSelectionCast(labels, 0)
        shape = sitk.LabelShapeStatisticsImageFilter()
        shape.Execute(labels)
        assert np.abs(np.array(shape.GetCentroid(1)) - LESION).max() < 0.25 * max(SPACES[name])


def test_one_case_comes_from_named_files(cohort: Path, tmp_path: Path, loaded: list[Path]) -> None:
    shutil.copy(cohort / "a" / "pet.nii.gz", tmp_path / "x1.nii.gz")
    shutil.copy(cohort / "a" / "ct.nii.gz", tmp_path / "x2.nii.gz")
    images = ["--image", f"PET={tmp_path / 'x1.nii.gz'}", "--image", f"CT={tmp_path / 'x2.nii.gz'}"]
    assert run(*images, "--case-id", "mine", "--output", tmp_path / "out") == 0
    named = sitk.ReadImage(str(tmp_path / "out" / "mine" / "segmentation.nii.gz"))
    assert run(cohort, "--case", "a", "--output", tmp_path / "out") == 0
    found = sitk.ReadImage(str(tmp_path / "out" / "a" / "segmentation.nii.gz"))
    assert np.array_equal(sitk.GetArrayFromImage(named), sitk.GetArrayFromImage(found))
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["a", "mine"]


def test_a_case_that_fails_does_not_stop_the_others(
    cohort: Path, tmp_path: Path, loaded: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    (cohort / "b" / "pet.nii.gz").unlink()
    assert run(cohort, "--output", tmp_path / "out") == 1
    events = events_of(capsys)
    assert events[-1]["done"] == ["a", "c"]
    assert "b lacks PET" in events[-1]["failed"]["b"]
    assert any(e["event"] == "error" and "b lacks PET" in e["message"] for e in events)
    assert not (tmp_path / "out" / "b").exists()


def test_results_are_kept_unless_overwrite_is_said(
    cohort: Path, tmp_path: Path, loaded: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out"
    assert run(cohort, "--case", "a", "--output", output) == 0
    before = (output / "a" / "result.json").stat().st_mtime_ns
    assert run(cohort, "--case", "a", "--output", output) == 2
    assert "Use --overwrite" in events_of(capsys)[-1]["message"]
    assert run(cohort, "--output", output) == 0
    events = events_of(capsys)
    assert events[-1]["kept"] == ["a"]
    assert events[-1]["done"] == ["b", "c"]
    assert any(e["event"] == "info" and "holds a result already" in e["message"] for e in events)
    assert (output / "a" / "result.json").stat().st_mtime_ns == before
    n_loaded = len(loaded)
    assert run(cohort, "--output", output) == 0
    assert len(loaded) == n_loaded  # nothing to do, so no model is needed
    assert run(cohort, "--case", "a", "--output", output, "--overwrite") == 0
    assert (output / "a" / "result.json").stat().st_mtime_ns != before


def test_cancelling_keeps_finished_cases_and_leaves_no_half_one(
    cohort: Path, tmp_path: Path, loaded: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    import CIMLSegmentLib.inference.segmentation_job as job

    original = job.segment_case

    def cancel_in_the_second_case(case: object, *args: object, **options: object) -> object:
        if getattr(case, "case_id", "") == "b":
            progress._cancel_requested.set()
        return original(case, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(job, "segment_case", cancel_in_the_second_case)
    assert run(cohort, "--output", tmp_path / "out") == 130
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a"]
    assert read_result(tmp_path / "out" / "a").case_id == "a"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ((), "got neither"),
        (("{cohort}", "--image", "PET=x.nii.gz"), "got both"),
        (("--image", "PET"), "MODALITY=FILE"),
        (("--image", "PET=nowhere.nii.gz"), "nowhere"),
        (("{cohort}", "--case", "zz"), "no case zz"),
        (("{cohort}/nothing",), "no such folder"),
        (("{cohort}", "--overlap", "1.5"), "overlap"),
        (("{cohort}", "--uncertainty", "1"), "at least 2 samples"),
    ],
)
def test_wrong_usage_exits_with_2_and_a_sentence(
    cohort: Path,
    tmp_path: Path,
    loaded: list[Path],
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    complaint: str,
) -> None:
    filled = [text.format(cohort=cohort) for text in arguments]
    assert run(*filled, "--output", tmp_path / "out") == 2
    message = events_of(capsys)[-1]["message"]
    assert complaint in message
    assert message.endswith(".")
    assert not loaded
    assert not (tmp_path / "out").exists()


def test_bad_images_get_a_sentence(
    cohort: Path, tmp_path: Path, loaded: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    path = cohort / "a" / "pet.nii.gz"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    flat = sitk.GetImageFromArray(np.ones((20, 20), np.float32))
    sitk.WriteImage(flat, str(cohort / "b" / "pet.nii.gz"))
    empty = np.zeros(grid().array_shape, np.float32)
    write_volume(cohort / "c" / "pet.nii.gz", Volume(empty, grid()))
    assert run(cohort, "--output", tmp_path / "out") == 1
    failed = events_of(capsys)[-1]["failed"]
    assert sorted(failed) == ["a", "b", "c"]
    assert all("PET" in text for text in failed.values())
    assert not list((tmp_path / "out").glob("*"))


def test_paths_may_hold_any_letters(tmp_path: Path, loaded: list[Path]) -> None:
    cohort = tmp_path / "Köhorte 患者"
    write_case(cohort / "Fäll 1", grid())
    write_case(cohort / "Fäll 2", grid())
    assert run(cohort, "--case", "Fäll 1", "--output", tmp_path / "ergebnis ß") == 0
    assert read_result(tmp_path / "ergebnis ß" / "Fäll 1").case_id == "Fäll 1"


def test_an_output_that_cannot_be_written_is_refused_before_the_work(
    cohort: Path, tmp_path: Path, loaded: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("not a folder")
    (tmp_path / "protected").mkdir()
    (tmp_path / "protected").chmod(0o555)
    for place, reason in (("file", "is no folder"), ("protected", "may not be written")):
        assert run(cohort, "--case", "a", "--output", tmp_path / place / "out") == 2
        message = events_of(capsys)[-1]["message"]
        assert reason in message
        assert "--output" in message
    assert not loaded


def test_four_dimensional_files_are_refused_where_one_image_is_expected(
    tmp_path: Path, loaded: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    write_case(tmp_path / "a", grid())
    volume = sitk.ReadImage(str(tmp_path / "a" / "pet.nii.gz"))
    sitk.WriteImage(sitk.JoinSeries([volume, volume]), str(tmp_path / "4d.nii.gz"))
    images = ["--image", f"PET={tmp_path / '4d.nii.gz'}", "--image", f"CT={tmp_path}/a/ct.nii.gz"]
    assert run(*images, "--output", tmp_path / "out") == 2
    assert "4d.nii.gz" in events_of(capsys)[-1]["message"]


def test_processes_of_one_job_share_the_cases(
    cohort: Path, tmp_path: Path, loaded: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    from contextlib import nullcontext

    import torch

    from CIMLSegmentLib.inference import devices

    for rank, expected in ((0, ["a", "c"]), (1, ["b"])):
        share = devices.Processes(rank, 2, torch.device("cpu"))
        monkeypatch.setattr(devices.Processes, "wait", lambda _: None)
        monkeypatch.setattr(devices, "joined_processes", lambda _, share=share: nullcontext(share))
        output = tmp_path / f"rank {rank}"
        assert run(cohort, "--output", output) == 0
        assert sorted(path.name for path in output.iterdir()) == expected


def test_names_of_files_can_be_corrected(tmp_path: Path) -> None:
    from MultimodalImagingLib.cohorts.modality_patterns import parse_pattern

    write_case(tmp_path / "x", grid())
    (tmp_path / "x" / "pet.nii.gz").rename(tmp_path / "x" / "uptake.nii.gz")
    ((case,), _) = cases_of_path(tmp_path / "x")
    assert "PET" not in case.images
    ((case,), _) = cases_of_path(tmp_path / "x", (parse_pattern("uptake=PET"),))
    assert case.images["PET"].path.name == "uptake.nii.gz"


def test_named_images_must_be_unambiguous(tmp_path: Path) -> None:
    path = tmp_path / "x.nii.gz"
    path.touch()
    with pytest.raises(UsageError, match="PET twice"):
        case_of_images([f"PET={path}", f"PET={path}"], None)
    assert case_of_images([f"PET={path}"], None).case_id == tmp_path.name


def test_chosen_cases_are_those_asked_for(cohort: Path) -> None:
    cases, _ = cases_of_path(cohort)
    assert [case.case_id for case in chosen_cases(cases, ["c", "a"])] == ["a", "c"]
    assert [case.case_id for case in chosen_cases(cases, ["a", "c", "a"])] == ["a", "c"]
    assert chosen_cases(cases, []) == cases
    with pytest.raises(CohortError, match=r"no case y and no case z"):
        chosen_cases(cases, ["y", "z", "a"])
