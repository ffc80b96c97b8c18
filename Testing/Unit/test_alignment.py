from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from scipy import ndimage

from MDALSelectorLib.pairing.alignment import measure_alignment
from MultimodalImagingLib.errors import CancelledError
from MultimodalImagingLib.images.geometry import Grid
from MultimodalImagingLib.jobs.progress import NullReporter
from MultimodalImagingLib.preparation.prepared_case import PreparedCase

SHAPE = (30, 34, 32)
OBLIQUE = tuple(sitk.VersorTransform((0.3, 0.2, 0.9), 0.3).GetMatrix())


def anatomy(seed: int, shape: tuple[int, int, int] = SHAPE) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=shape)
    return (ndimage.gaussian_filter(noise, 2.0) * 20).astype(np.float32)


def make(case_id: str, images: dict[str, np.ndarray], **kwargs) -> PreparedCase:
    shape = next(iter(images.values())).shape
    spacing = kwargs.get("spacing", (3.0, 3.0, 4.0))
    direction = kwargs.get("direction", tuple(np.eye(3).ravel()))
    grid = Grid(shape[::-1], spacing, (0.0, 0.0, 0.0), direction)
    full = np.ones(shape, dtype=bool)
    coverage = kwargs.get("coverage", dict.fromkeys(images, full))
    return PreparedCase(case_id, grid, images, coverage, dict.fromkeys(images, full), full)


def cohort(n_cases: int) -> list[PreparedCase]:
    cases = []
    for number in range(n_cases):
        image = anatomy(number)
        images = {"CT": image, "T1": np.tanh(image) + 0.3 * anatomy(500 + number)}
        cases.append(make(f"case-{number:02d}", images))
    return cases


def test_offset_is_told_in_lps_mm_whatever_the_axes_of_the_grid() -> None:
    large = anatomy(1, (46, 50, 48))
    first = large[8:-8, 8:-8, 8:-8]
    second = large[6:-10, 8:-8, 5:-11]  # content moves by +2 voxels along K and +3 along I
    for direction in (tuple(np.eye(3).ravel()), OBLIQUE):
        case = make("a", {"CT": first, "T1": -second}, direction=direction)
        measures = measure_alignment([case], ["p"], ("CT", "T1"))
        expected = np.array(direction).reshape(3, 3) @ np.array([9.0, 0.0, 8.0])
        np.testing.assert_allclose(measures.offset_mm["CT", "T1"][0], expected, atol=0.7)
        assert measures.gain["CT", "T1"][0] > 0.5


def test_aligned_modalities_have_no_offset_and_no_gain() -> None:
    measures = measure_alignment(cohort(3), ["a", "b", "c"], ("CT", "T1"))
    assert (measures.agreement["CT", "T1"] > 0.5).all()
    assert (measures.gain["CT", "T1"] < 0.01).all()
    assert np.linalg.norm(measures.offset_mm["CT", "T1"], axis=1).max() < 1.5


def test_own_images_stand_out_and_swapped_ones_do_not() -> None:
    cases = cohort(12)
    swapped = [*cases]
    for here, there in ((3, 7), (7, 3)):
        images = {"CT": cases[here].images["CT"], "T1": cases[there].images["T1"]}
        swapped[here] = make(cases[here].case_id, images)
    patients = [case.case_id for case in cases]
    z = measure_alignment(swapped, patients, ("CT", "T1")).unrelated_z["CT", "T1"]
    assert (np.delete(z, [3, 7]) > 5).all()
    assert (np.abs(z[[3, 7]]) < 3).all()


def test_cases_of_one_patient_are_not_unrelated_to_each_other() -> None:
    cases = cohort(8)
    cases[1] = make("case-01", dict(cases[0].images))
    together = measure_alignment(cases, ["p", "p", *"cdefgh"], ("CT", "T1"))
    apart = measure_alignment(cases, list("abcdefgh"), ("CT", "T1"))
    assert together.unrelated_z["CT", "T1"][0] > 2 * apart.unrelated_z["CT", "T1"][0]


def test_fewer_than_four_patients_give_no_comparison() -> None:
    three = measure_alignment(cohort(3), ["a", "b", "c"], ("CT", "T1"))
    four = measure_alignment(cohort(4), ["a", "b", "c", "d"], ("CT", "T1"))
    assert np.isnan(three.unrelated_z["CT", "T1"]).all()
    assert np.isfinite(four.unrelated_z["CT", "T1"]).all()


def test_a_missing_modality_is_nan_and_the_others_are_as_before() -> None:
    cases = cohort(5)
    full = measure_alignment(cases, list("abcde"), ("CT", "T1"))
    cases[2] = make("case-02", {"T1": cases[2].images["T1"]})
    partial = measure_alignment(cases, list("abcde"), ("CT", "T1"))
    for table in ("agreement", "gain", "unrelated_z"):
        assert np.isnan(getattr(partial, table)["CT", "T1"]).tolist() == [
            False,
            False,
            True,
            False,
            False,
        ]
    kept = [0, 1, 3, 4]
    np.testing.assert_array_equal(
        partial.agreement["CT", "T1"][kept], full.agreement["CT", "T1"][kept]
    )


def test_fine_images_are_compared_at_the_coarser_spacing_with_the_same_offset() -> None:
    large = ndimage.zoom(anatomy(6, (40, 40, 40)), 2, order=1)
    first, second = large[8:-8, 8:-8, 8:-8], large[8:-8, 8:-8, 2:-14]
    case = make("a", {"CT": first, "T1": second}, spacing=(1.25, 1.25, 1.25))
    measures = measure_alignment([case], ["p"], ("CT", "T1"))
    assert measures.spacing_mm == pytest.approx(2.5, rel=0.05)
    np.testing.assert_allclose(measures.offset_mm["CT", "T1"][0], (7.5, 0.0, 0.0), atol=0.8)


def test_the_rim_of_a_partly_covered_image_is_no_edge() -> None:
    image = anatomy(7) + 20.0
    covered = np.ones(SHAPE, dtype=bool)
    covered[:, :, 20:] = False
    cut = np.where(covered, image, 0.0).astype(np.float32)
    full = np.ones(SHAPE, dtype=bool)
    found = []
    for known in (covered, full):
        case = make("a", {"CT": image, "T1": cut}, coverage={"CT": full, "T1": known})
        found.append(measure_alignment([case], ["p"], ("CT", "T1")).agreement["CT", "T1"][0])
    assert found[0] > 0.93
    assert found[1] < found[0] - 0.1


def test_one_modality_has_no_pairs() -> None:
    measures = measure_alignment([make("a", {"CT": anatomy(0)})], ["p"], ("CT",))
    assert measures.pairs == ()
    assert measures.case_ids == ("a",)


def test_each_case_is_reported_and_cancelling_stops() -> None:
    class Stop(NullReporter):
        def advance(self, n: int = 1) -> None:
            raise CancelledError

    with pytest.raises(CancelledError):
        measure_alignment(cohort(2), ["a", "b"], ("CT", "T1"), reporter=Stop())
