from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from MultimodalImagingLib.cohorts.cases import Case
from MultimodalImagingLib.errors import CohortError
from MultimodalImagingLib.images.geometry import Grid
from MultimodalImagingLib.images.stored_image import ImageFile
from MultimodalImagingLib.preparation.case_preparation import prepare_case
from MultimodalImagingLib.preparation.intensity import modality_kind
from MultimodalImagingLib.preparation.prepared_case import PreprocessingSpec
from MultimodalImagingLib.preparation.working_grid import coverage

SPEC = PreprocessingSpec((4.0, 4.0, 4.0), {"CT": "CT", "PET": "PET", "T1": "MR"})


def rotation(angle: float, axis: tuple[float, float, float] = (0.3, 0.2, 0.9)) -> np.ndarray:
    return np.asarray(sitk.VersorTransform(axis, angle).GetMatrix()).reshape(3, 3)


def ellipsoid_image(
    *,
    size: tuple[int, int, int],
    spacing: tuple[float, float, float],
    direction: np.ndarray | None = None,
    values: tuple[float, float] = (-1000.0, 40.0),
    center: tuple[float, float, float] = (10.0, -5.0, 20.0),
) -> sitk.Image:
    """An ellipsoid with a bright mark to the left, front and top, on a grid around its center."""
    matrix = np.eye(3) if direction is None else direction
    grid = Grid(size, spacing, (0.0, 0.0, 0.0), tuple(matrix.ravel()))
    middle = grid.corners_lps.mean(axis=0)
    origin = np.asarray(center) - middle
    index = np.indices(grid.array_shape)[::-1].reshape(3, -1)
    lps = matrix @ (index * np.asarray(spacing)[:, None]) + origin[:, None]
    place = lps - np.array([10.0, -5.0, 20.0])[:, None]
    inside = ((place / np.array([40.0, 30.0, 50.0])[:, None]) ** 2).sum(axis=0) < 1
    mark = ((place - np.array([15.0, -12.0, 20.0])[:, None]) ** 2).sum(axis=0) < 64
    array = np.where(mark, 2 * values[1], np.where(inside, values[1], values[0]))
    image = sitk.GetImageFromArray(array.reshape(grid.array_shape).astype(np.float32))
    image.SetSpacing(spacing)
    image.SetOrigin(origin.tolist())
    image.SetDirection(matrix.ravel().tolist())
    return image


def native_images() -> dict[str, sitk.Image]:
    return {
        "CT": ellipsoid_image(size=(100, 80, 36), spacing=(1.2, 1.2, 4.0)),
        "PET": ellipsoid_image(size=(30, 26, 36), spacing=(4.4, 4.4, 4.0), values=(0.02, 0.9)),
        "T1": ellipsoid_image(size=(90, 76, 30), spacing=(1.1, 1.1, 4.0), values=(3.0, 400.0)),
    }


def center_mm(grid: Grid, mask: np.ndarray) -> np.ndarray:
    k, j, i = np.argwhere(mask).mean(axis=0)
    return (grid.index_to_lps @ np.array([i, j, k, 1.0]))[:3]


def written(folder: Path, images: dict[str, sitk.Image], case_id: str = "case-1") -> Case:
    files = {}
    for modality, image in images.items():
        path = folder / case_id / f"{modality}.nii.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        sitk.WriteImage(image, str(path))
        files[modality] = ImageFile(path)
    return Case(case_id, case_id, files)


def test_all_modalities_share_the_grid_of_their_joint_field_of_view(tmp_path: Path) -> None:
    images = native_images()
    prepared = prepare_case(written(tmp_path, images), SPEC)
    assert prepared.modalities == ("CT", "PET", "T1")
    assert prepared.grid.spacing_mm == (4.0, 4.0, 4.0)
    low, high = prepared.grid.corners_lps.min(axis=0), prepared.grid.corners_lps.max(axis=0)
    box = np.array([90 * 1.1, 76 * 1.1, 30 * 4.0]) / 2
    center = np.array([10.0, -5.0, 20.0])
    assert np.abs(low - (center - box)).max() <= 4.0
    assert np.abs(high - (center + box)).max() <= 4.0
    for modality in prepared.modalities:
        assert prepared.images[modality].shape == prepared.grid.array_shape
        assert prepared.images[modality].dtype == np.float32
        assert prepared.coverage[modality].all()


def test_bodies_of_all_modalities_agree_in_place_and_volume(tmp_path: Path) -> None:
    prepared = prepare_case(written(tmp_path, native_images()), SPEC)
    volume = 4 / 3 * np.pi * 40 * 30 * 50
    for body in prepared.bodies.values():
        assert body.sum() * 4.0**3 == pytest.approx(
            volume, rel=0.16
        )  # partial volume moves the rim
        overlap = 2 * (body & prepared.body).sum() / (body.sum() + prepared.body.sum())
        assert overlap > 0.9
        assert np.abs(center_mm(prepared.grid, body) - (10.0, -5.0, 20.0)).max() < 1.0


@pytest.mark.parametrize("orientation", ["LPS", "RAS", "SAR", "PIR"])
def test_the_same_anatomy_gives_the_same_array_in_every_orientation(
    tmp_path: Path, orientation: str
) -> None:
    images = native_images()
    plain = prepare_case(written(tmp_path, images, "plain"), SPEC)
    turned = {m: sitk.DICOMOrient(image, orientation) for m, image in images.items()}
    result = prepare_case(written(tmp_path, turned, "turned"), SPEC)
    assert result.grid.size == plain.grid.size
    np.testing.assert_allclose(result.grid.index_to_lps, plain.grid.index_to_lps, atol=1e-4)
    for modality in plain.modalities:
        np.testing.assert_allclose(result.images[modality], plain.images[modality], atol=2e-3)


def test_an_oblique_modality_lands_where_it_is_in_space(tmp_path: Path) -> None:
    images = native_images()
    oblique = images | {
        "T1": ellipsoid_image(
            size=(90, 76, 60), spacing=(1.4, 1.4, 2.5), values=(3.0, 400.0), direction=rotation(0.4)
        )
    }
    prepared = prepare_case(written(tmp_path, oblique), SPEC)
    for modality, threshold in {"CT": 0.15, "T1": 3.0}.items():
        mark = center_mm(prepared.grid, prepared.images[modality] > threshold)
        np.testing.assert_allclose(mark, [25.0, -17.0, 40.0], atol=1.5)
    assert not prepared.coverage["T1"].all()
    assert not prepared.images["T1"][~prepared.coverage["T1"]].any()


def test_an_oblique_reference_keeps_its_axes_in_left_posterior_superior_order(
    tmp_path: Path,
) -> None:
    matrix = rotation(0.35)[:, [2, 0, 1]] * np.array([-1.0, 1.0, -1.0])
    images = {"CT": ellipsoid_image(size=(50, 80, 70), spacing=(3.0, 1.5, 2.0), direction=matrix)}
    prepared = prepare_case(written(tmp_path, images), SPEC)
    np.testing.assert_allclose(prepared.grid.direction_matrix, rotation(0.35), atol=1e-5)
    mark = center_mm(prepared.grid, prepared.images["CT"] > 0.15)
    np.testing.assert_allclose(mark, [25.0, -17.0, 40.0], atol=2.0)


def test_segmentation_keeps_the_whole_reference_and_masks_what_is_not_covered(
    tmp_path: Path,
) -> None:
    case = written(tmp_path, native_images())
    prepared = prepare_case(case, SPEC, reference="PET", crop="reference")
    assert prepared.grid.size == (33, 29, 36)
    assert prepared.coverage["PET"].all()
    assert 0.2 < prepared.coverage["T1"].mean() < 0.95
    t1 = sitk.ReadImage(str(case.images["T1"].path))
    grid = Grid(t1.GetSize(), t1.GetSpacing(), t1.GetOrigin(), t1.GetDirection())
    assert np.array_equal(prepared.coverage["T1"], coverage(prepared.grid, grid))


def test_a_missing_modality_changes_only_the_region(tmp_path: Path) -> None:
    images = native_images()
    del images["CT"]
    prepared = prepare_case(written(tmp_path, images), SPEC)
    assert prepared.modalities == ("PET", "T1")
    assert prepared.problems == ()


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda a: np.where(a > a.max() / 2, np.nan, a), "NaN or infinity"),
        (lambda a: np.where(a > a.max() / 2, np.inf, a), "NaN or infinity"),
        (lambda a: np.full_like(a, 12.0), "single value 12"),
        (np.zeros_like, "single value 0"),
    ],
)
def test_an_unusable_image_is_an_error_and_the_others_go_on(tmp_path, spoil, words) -> None:
    images = native_images()
    array = spoil(sitk.GetArrayFromImage(images["T1"]).astype(np.float32))
    spoiled = sitk.GetImageFromArray(array)
    spoiled.CopyInformation(images["T1"])
    prepared = prepare_case(written(tmp_path, images | {"T1": spoiled}), SPEC)
    assert prepared.modalities == ("CT", "PET")
    (problem,) = prepared.problems
    assert problem.severity == "error"
    assert problem.case_id == "case-1"
    for part in ("T1:", "T1.nii.gz", words, "treated as missing"):
        assert part in problem.message


def test_a_truncated_file_is_an_error_and_the_others_go_on(tmp_path: Path) -> None:
    case = written(tmp_path, native_images())
    path = case.images["PET"].path
    path.write_bytes(path.read_bytes()[:600])
    prepared = prepare_case(case, SPEC)
    assert prepared.modalities == ("CT", "T1")
    assert "PET.nii.gz" in prepared.problems[0].message


def test_values_in_another_unit_are_said_aloud_and_scaled_by_themselves(tmp_path: Path) -> None:
    images = native_images()
    images["PET"] = images["PET"] * 12_000.0
    prepared = prepare_case(written(tmp_path, images), SPEC)
    (problem,) = prepared.problems
    assert problem.severity == "warning"
    assert "SUV" in problem.message
    assert "PET.nii.gz" in problem.message
    assert abs(np.median(prepared.images["PET"][prepared.bodies["PET"]])) < 1e-6


def test_a_case_without_a_common_field_of_view_is_refused_with_the_boxes(tmp_path: Path) -> None:
    images = native_images()
    images["T1"] = ellipsoid_image(
        size=(40, 40, 20), spacing=(1.0, 1.0, 4.0), values=(3.0, 400.0), center=(400.0, 0.0, 0.0)
    )
    with pytest.raises(CohortError, match=r"case-1.*common field of view.*T1 380\.\.420"):
        prepare_case(written(tmp_path, images), SPEC)


@pytest.mark.parametrize(("modality", "kind"), [("T1", "MR"), ("PET", "PET")])
def test_an_image_from_elsewhere_is_missing_in_a_segmentation_and_the_others_go_on(
    tmp_path: Path, modality: str, kind: str
) -> None:
    images = native_images()
    images[modality] = ellipsoid_image(
        size=(40, 40, 20), spacing=(1.0, 1.0, 4.0), values=(3.0, 40.0), center=(400.0, 0.0, 0.0)
    )
    case = written(tmp_path, images)
    assert SPEC.kinds[modality] == kind
    prepared = prepare_case(case, SPEC, reference="CT", crop="reference")
    assert modality not in prepared.modalities
    (problem,) = prepared.problems
    assert problem.severity == "error"
    for part in ("meets that of CT", f"{modality} 380..420", f"{modality}.nii.gz", "as missing"):
        assert part in problem.message


def test_a_case_without_its_reference_is_refused_and_the_reason_given(tmp_path: Path) -> None:
    images = native_images()
    images["CT"] = images["CT"] * 0.0
    with pytest.raises(CohortError, match=r"case-1.*usable image of CT.*single value 0"):
        prepare_case(written(tmp_path, images), SPEC, reference="CT", crop="reference")


def test_a_case_of_which_nothing_is_usable_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CohortError, match="case-1: Expected a usable image"):
        prepare_case(Case("case-1", "p", {}), SPEC)


def test_a_header_with_absurd_spacing_is_refused_before_the_memory_is_full(tmp_path: Path) -> None:
    images = native_images()
    images["CT"].SetSpacing((900.0, 900.0, 900.0))
    with pytest.raises(CohortError, match=r"case-1.*claims a field of view.*Check the spacing"):
        prepare_case(written(tmp_path, images), SPEC)


def test_integers_and_floats_of_the_same_values_give_the_same_arrays(tmp_path: Path) -> None:
    images = native_images()
    as_float = prepare_case(written(tmp_path, images, "a"), SPEC)
    images["CT"] = sitk.Cast(images["CT"], sitk.sitkInt16)
    as_integer = prepare_case(written(tmp_path, images, "b"), SPEC)
    np.testing.assert_array_equal(as_float.images["CT"], as_integer.images["CT"])


@pytest.mark.parametrize("spacing", [(0.0, 1.0, 1.0), (1.0, 1.0, -2.0)])
def test_impossible_spacings_are_refused(spacing: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="positive spacings"):
        PreprocessingSpec(spacing, {"CT": modality_kind("CT")})


def test_unknown_kinds_are_refused() -> None:
    with pytest.raises(ValueError, match="kind of"):
        PreprocessingSpec((1.0, 1.0, 1.0), {"CT": "X-ray"})


@pytest.mark.cohort
def test_real_cases_on_three_grids_meet_in_their_common_box(real_cohorts: Path) -> None:
    folder = real_cohorts / "sts51_native" / "STS_001"
    files = {m: ImageFile(folder / f"{m.lower()}.nii.gz") for m in ("CT", "PET", "T1")}
    prepared = prepare_case(Case("STS_001", "STS_001", files), SPEC)
    assert prepared.problems == ()
    assert all(mask.all() for mask in prepared.coverage.values())
    assert 0.6 < prepared.body.mean() < 1.0
    assert float(np.ptp(prepared.images["PET"])) > 1.0
