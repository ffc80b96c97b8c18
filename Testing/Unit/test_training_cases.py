import dataclasses

import nibabel
import numpy as np
import pytest
from example_training import bright_ball

from CIMLSegmentLib.inference.window_box import body_box
from CIMLSegmentLib.task.label_values import parse_label_values
from CIMLSegmentLib.task.regions import label_warnings, placed_regions
from CIMLSegmentLib.task.task_io import load_task
from CIMLSegmentLib.training import training_case, training_cases
from CIMLSegmentLib.training.training_case import NotPreparedError, read_training_case
from CIMLSegmentLib.training.training_cases import PreparationJob, prepare_training_set
from MDALSelectorLib.synthetic_cohort import draw_factors, make_case
from MultimodalImagingLib.cohorts.cohort import find_cohort
from MultimodalImagingLib.errors import CohortError, CrossModalError
from MultimodalImagingLib.images.geometry import Grid, Volume
from MultimodalImagingLib.images.stored_image import ImageFile
from MultimodalImagingLib.images.volume_io import read_volume, write_volume
from MultimodalImagingLib.jobs.progress import NullReporter
from MultimodalImagingLib.preparation.case_preparation import prepare_case
from MultimodalImagingLib.preparation.prepared_case import PreprocessingSpec

BRATS = load_task("brats")
IDENTITY = (1.0, 0, 0, 0, 1.0, 0, 0, 0, 1.0)


class Recorder(NullReporter):
    def __init__(self):
        self.warnings = []

    def warning(self, text):
        self.warnings.append(text)


@pytest.fixture(scope="module")
def synthetic(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cohort")
    generator = np.random.default_rng(0)
    for number in range(5):
        images, label = make_case(draw_factors(generator))
        (folder / f"case{number}").mkdir()
        for name, volume in {**images, "seg": label}.items():
            write_volume(folder / f"case{number}" / f"case{number}_{name}.nii.gz", volume)
    return find_cohort(folder)


def job(cohort, cache, spacing=6.0):
    spec = PreprocessingSpec((spacing,) * 3, dict(BRATS.modalities))
    return PreparationJob(BRATS, spec, cohort.root, cache)


@pytest.fixture(scope="module")
def prepared(synthetic, tmp_path_factory):
    cases = [case for case in synthetic.cases if case.label is not None][:3]
    cache = tmp_path_factory.mktemp("cache")
    return prepare_training_set(cases, job(synthetic, cache), reporter=NullReporter())


def test_cases_come_in_the_order_of_their_ids_with_all_regions(prepared):
    ids = [case.case_id for case in prepared.cases]
    assert ids == sorted(ids)
    for case in prepared.cases:
        assert list(case.regions) == ["WT", "TC", "ET"]
        assert case.regions["WT"] >= case.regions["TC"] >= case.regions["ET"] > 0
        assert set(case.modalities) == set(BRATS.modalities)
        assert case.spacing_mm == (6.0, 6.0, 6.0)


def test_region_volumes_survive_the_change_of_spacing(prepared, synthetic):
    labels = {case.case_id: case.label for case in synthetic.cases}
    for case in prepared.cases:
        values = read_volume(labels[case.case_id]).array
        for region in BRATS.regions:
            wanted_ml = np.isin(values, region.labels).sum() * 27 / 1000
            found_ml = case.regions[region.name] * 216 / 1000
            assert found_ml == pytest.approx(wanted_ml, rel=0.25, abs=0.5)


def test_regions_stay_nested_and_places_lie_in_them(prepared):
    case = prepared.cases[0]
    window = tuple(slice(0, n) for n in case.shape)
    images, masks = case.read(tuple(BRATS.modalities), window)
    assert images.shape == (4, *case.shape)
    assert np.isfinite(images).all()
    assert (masks[0] >= masks[1]).all()
    assert (masks[1] >= masks[2]).all()
    for channel, region in enumerate(case.regions):
        assert masks[channel].sum() == case.regions[region]
        places = case.places(region)
        assert len(places) == case.regions[region]
        assert masks[channel][tuple(places.T)].all()


def test_window_is_the_part_of_the_whole(prepared):
    case = prepared.cases[0]
    whole = case.read(("T2", "FLAIR"), tuple(slice(0, n) for n in case.shape))
    window = (slice(2, 6), slice(1, 9), slice(3, 4))
    for part, all_of_it in zip(case.read(("T2", "FLAIR"), window), whole, strict=True):
        assert np.array_equal(part, all_of_it[(slice(None), *window)])


def test_the_box_of_a_case_is_the_one_that_segmentation_looks_at(tmp_path):
    """Also beyond the image, which ends beside the body at one end."""
    body = np.zeros((9, 10, 11), np.float32)
    body[:5, 1:6, 3:11] = 1 + np.arange(5 * 5 * 8).reshape(5, 5, 8)
    grid = Grid((11, 10, 9), (6.0, 6.0, 6.0), (0.0, 0.0, 0.0), IDENTITY)
    (tmp_path / "a").mkdir()
    labels = np.choose(np.digitize(body, (50, 100, 150)), (0, 2, 1, 4))
    files = {**dict.fromkeys(BRATS.modalities, body), "seg": labels}
    for name, array in files.items():
        write_volume(tmp_path / "a" / f"{name}.nii.gz", Volume(array.astype(np.float32), grid))
    cohort = find_cohort(tmp_path)
    preparation = job(cohort, tmp_path / "cache")
    [case] = prepare_training_set(cohort.cases, preparation, reporter=NullReporter()).cases

    [whole] = cohort.cases
    prepared = prepare_case(whole, preparation.spec, reference=BRATS.primaries[0], crop="reference")
    box = body_box(list(prepared.bodies.values()), prepared.grid)
    assert case.before != case.after
    assert (case.box.size, case.box.inner) == (box.size, box.inner)


def test_intensities_are_those_inside_the_body(prepared):
    for modality, values in prepared.intensities.items():
        assert modality in BRATS.modalities
        assert values.low < values.mean < values.high
        assert 0.2 < values.sd < 3


def test_second_run_reads_no_image(synthetic, tmp_path, monkeypatch):
    cases = [case for case in synthetic.cases if case.label is not None][:1]
    first = prepare_training_set(cases, job(synthetic, tmp_path), reporter=NullReporter())
    monkeypatch.setattr(training_cases, "prepare_case", None)
    assert prepare_training_set(cases, job(synthetic, tmp_path), reporter=NullReporter()) == first


def test_other_spacing_label_or_damage_prepares_anew(synthetic, tmp_path):
    case = next(case for case in synthetic.cases if case.label is not None)
    copy = tmp_path / "seg.nii.gz"
    copy.write_bytes(case.label.path.read_bytes())
    case = dataclasses.replace(case, label=ImageFile(copy))

    def run(spacing=6.0):
        outcome = prepare_training_set(
            [case], job(synthetic, tmp_path / "c", spacing), reporter=NullReporter()
        )
        return outcome.cases[0]

    first = run()
    assert run(8.0).path != first.path
    volume = read_volume(ImageFile(copy))
    write_volume(copy, Volume(np.where(volume.array == 2, 4, volume.array), volume.grid))
    assert run().regions["TC"] == run().regions["WT"]
    changed = run()
    changed.path.write_bytes(changed.path.read_bytes()[:100])
    assert run() == changed


def test_unusable_cases_are_left_out_and_said(synthetic, tmp_path):
    good, bad = [case for case in synthetic.cases if case.label is not None][:2]
    half = tmp_path / "half.nii.gz"
    volume = read_volume(bad.label)
    write_volume(half, Volume(volume.array * np.float32(0.5), volume.grid))
    bad = dataclasses.replace(bad, label=ImageFile(half))
    reporter = Recorder()
    outcome = prepare_training_set([good, bad], job(synthetic, tmp_path), reporter=reporter)
    assert [case.case_id for case in outcome.cases] == [good.case_id]
    assert any("whole numbers in the label map half.nii.gz" in text for text in reporter.warnings)


def test_label_that_fits_by_the_reading_that_is_not_used_is_left_out(synthetic, tmp_path):
    good, other = [case for case in synthetic.cases if case.label is not None][:2]
    label = nibabel.load(other.label.path)
    moved = label.affine.copy()
    moved[2, 3] += 9.0
    label.set_qform(label.affine, 1)
    label.set_sform(moved, 1)
    nibabel.save(label, tmp_path / "two.nii.gz")
    other = dataclasses.replace(other, label=ImageFile(tmp_path / "two.nii.gz"))
    reporter = Recorder()
    outcome = prepare_training_set([good, other], job(synthetic, tmp_path), reporter=reporter)
    assert [case.case_id for case in outcome.cases] == [good.case_id]
    assert any(
        "holds two positions that are up to 9 mm apart" in text for text in reporter.warnings
    )


def test_cohort_without_labels_is_refused(synthetic, tmp_path):
    cases = [dataclasses.replace(case, label=None) for case in synthetic.cases]
    with pytest.raises(CohortError, match=r"FLAIR or T1c to train on, found no label map"):
        prepare_training_set(cases, job(synthetic, tmp_path), reporter=NullReporter())


def test_cohort_without_a_usable_label_is_refused_with_the_number(synthetic, tmp_path):
    cases = [dataclasses.replace(case, images={}) for case in synthetic.cases]
    n_labelled = sum(case.label is not None for case in cases)
    with pytest.raises(CohortError, match=rf"found none of {n_labelled} that can be used"):
        prepare_training_set(cases, job(synthetic, tmp_path), reporter=NullReporter())


def test_case_without_the_primary_of_one_subtask_serves_the_other(synthetic, tmp_path):
    case = next(case for case in synthetic.cases if case.label is not None)
    images = {name: file for name, file in case.images.items() if name != "FLAIR"}
    case = dataclasses.replace(case, images=images)
    outcome = prepare_training_set([case], job(synthetic, tmp_path), reporter=NullReporter())
    assert "FLAIR" not in outcome.cases[0].modalities
    pictures, _ = outcome.cases[0].read(("FLAIR", "T1"), (slice(0, 4),) * 3)
    assert not pictures[0].any()


def labels(array, spacing=1.0):
    size = tuple(reversed(array.shape))
    return Volume(array, Grid(size, (spacing,) * 3, (0, 0, 0), IDENTITY))


def test_regions_are_resampled_by_their_share_and_not_by_label_values():
    array = np.zeros((8, 8, 8), dtype=np.int32)
    array[:, :, :4] = 1
    array[:, :, 4:] = 4  # halfway between lies no edema (2)
    coarse = Grid((3, 4, 4), (2.0,) * 3, (1.5, 0.5, 0.5), IDENTITY)
    masks = placed_regions(labels(array), coarse, BRATS).masks
    assert masks["TC"].all()
    assert masks["WT"].all()
    assert masks["ET"][0, 0].tolist() == [False, True, True]


def test_same_grid_keeps_labels_exactly():
    array = np.random.default_rng(0).integers(0, 5, (4, 5, 6))
    volume = labels(array)
    masks = placed_regions(volume, volume.grid, BRATS).masks
    assert np.array_equal(masks["TC"], np.isin(array, (1, 4)))


def test_lost_and_empty_labels_are_said():
    array = np.zeros((8, 8, 8), dtype=np.int32)
    array[7, 7, 7] = 2
    volume = labels(array)
    inner = Grid((4, 4, 4), (1.0,) * 3, (0, 0, 0), IDENTITY)
    lost = list(label_warnings(placed_regions(volume, inner, BRATS)))
    assert any("Only 0 of 0.001 ml of region WT" in text for text in lost)
    assert any("no voxel of any region" in text for text in lost)


def test_mask_cut_off_at_its_rim_does_not_grow_beyond_it():
    cut = Volume(np.ones((1, 4, 4), bool), Grid((4, 4, 1), (1.0,) * 3, (2.0, 2.0, 3.0), IDENTITY))
    whole = np.zeros((8, 8, 8), np.int32)
    whole[3, 2:6, 2:6] = 4
    fine = Grid((16, 16, 16), (0.5,) * 3, (-0.25,) * 3, IDENTITY)
    part = placed_regions(Volume(cut.array * np.int32(4), cut.grid), fine, BRATS).masks["ET"]
    assert part.any()
    assert np.array_equal(part, placed_regions(labels(whole), fine, BRATS).masks["ET"])


def test_label_of_a_region_that_no_case_has_is_refused(synthetic, tmp_path):
    case = next(case for case in synthetic.cases if case.label is not None)
    volume = read_volume(case.label)
    write_volume(
        tmp_path / "a.nii.gz", Volume(np.where(volume.array == 4, 1, volume.array), volume.grid)
    )
    case = dataclasses.replace(case, label=ImageFile(tmp_path / "a.nii.gz"))
    with pytest.raises(CohortError, match=r"found none of ET .* --label-values \"VALUE=ET\""):
        prepare_training_set([case], job(synthetic, tmp_path), reporter=NullReporter())


def test_what_the_user_says_about_values_is_used_and_kept(synthetic, tmp_path):
    case = next(case for case in synthetic.cases if case.label is not None)
    plain = prepare_training_set([case], job(synthetic, tmp_path), reporter=NullReporter())
    volume = read_volume(case.label)
    write_volume(
        tmp_path / "a.nii.gz", Volume(np.where(volume.array == 4, 3, volume.array), volume.grid)
    )
    other = dataclasses.replace(case, label=ImageFile(tmp_path / "a.nii.gz"))
    with pytest.raises(CohortError, match="--label-values brats-2023"):
        prepare_training_set([other], job(synthetic, tmp_path), reporter=NullReporter())
    said = dataclasses.replace(
        job(synthetic, tmp_path), label_values=parse_label_values("brats-2023", BRATS)
    )
    outcome = prepare_training_set([other], said, reporter=NullReporter())
    assert outcome.cases[0].regions == plain.cases[0].regions
    assert outcome.label_values == "brats-2023"


def test_file_of_another_key_or_none_is_not_taken(tmp_path):
    case = bright_ball(tmp_path, 0)
    assert read_training_case(case.path, key="k") == case
    with pytest.raises(NotPreparedError):
        read_training_case(case.path, key="other")
    with pytest.raises(NotPreparedError):
        read_training_case(tmp_path / "none.safetensors", key="k")


def test_lost_file_is_explained(tmp_path):
    case = bright_ball(tmp_path, 0)
    case.path.unlink()
    with pytest.raises(CrossModalError, match="Case case 0: expected its prepared images"):
        case.places("lesion")
    with pytest.raises(CrossModalError, match="Start again to prepare it anew"):
        case.read(("PET",), (slice(0, 1),) * 3)


def test_a_large_region_keeps_a_fixed_sample_of_its_places(tmp_path, monkeypatch):
    every = bright_ball(tmp_path, 0).places("lesion")
    monkeypatch.setattr(training_case, "MOST_PLACES", len(every))
    assert np.array_equal(bright_ball(tmp_path, 0).places("lesion"), every)
    monkeypatch.setattr(training_case, "MOST_PLACES", 20)
    sample = bright_ball(tmp_path, 0).places("lesion")
    known = {tuple(place) for place in every.tolist()}
    assert len({tuple(place) for place in sample.tolist()} & known) == len(sample) == 20
    assert len(np.unique(sample[:, 0])) > 2
    assert np.array_equal(bright_ball(tmp_path, 0).places("lesion"), sample)
