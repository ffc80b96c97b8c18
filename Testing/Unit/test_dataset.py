import dataclasses

import numpy as np
import pytest
import torch
from example_training import PET_CT, QUICK, bright_ball, bright_balls

from CIMLSegmentLib.training.augmentation import Augmentation
from CIMLSegmentLib.training.dataset import PatchSource, batches, patch_start, read_patch


def source(folder, n_cases=3, **changes):
    config = dataclasses.replace(QUICK, **changes)
    return PatchSource(bright_balls(folder, n_cases).cases, PET_CT, config)


def equal(first, second):
    names = ("images", "targets", "usable", "present")
    return all(torch.equal(getattr(first, name), getattr(second, name)) for name in names)


@pytest.mark.parametrize("patch", [(4, 4, 4), (8, 8, 8), (20, 20, 20)])
@pytest.mark.parametrize("augmentation", [0.0, 1.0])
def test_foreground_patches_always_hold_the_lesion(tmp_path, patch, augmentation):
    always = source(tmp_path, patch_size=patch, foreground_share=1.0, augmentation=augmentation)
    for step in range(20):
        assert always.batch(step, (0, 1)).targets.flatten(1).any(dim=1).all()


def test_every_batch_has_its_share_of_foreground(tmp_path):
    half = source(tmp_path, foreground_share=0.5, patch_size=(4, 4, 4), augmentation=0)
    found = [half.batch(step, (0, 1)).targets[0].any().item() for step in range(20)]
    assert all(found)


def test_patch_around_a_voxel_holds_it_and_random_ones_stay_inside(tmp_path):
    case = bright_ball(tmp_path, 1)
    generator = np.random.default_rng(0)
    places = {tuple(place) for place in case.places("lesion").tolist()}
    for _ in range(50):
        start = patch_start(case, (6, 6, 6), generator, foreground=True)
        inside = {p for p in places if all(s <= v < s + 6 for s, v in zip(start, p, strict=True))}
        assert inside
        start = patch_start(case, (6, 6, 6), generator, foreground=False)
        assert all(0 <= s <= n - 6 for s, n in zip(start, case.shape, strict=True))


def test_an_empty_region_is_never_looked_for_and_a_case_without_any_lies_anywhere(tmp_path):
    case = bright_ball(tmp_path, 1)
    partly = dataclasses.replace(case, regions={"none": 0, **case.regions})
    empty = dataclasses.replace(case, regions={"none": 0})
    generator = np.random.default_rng(0)
    for _ in range(20):
        start = patch_start(partly, (6, 6, 6), generator, foreground=True)
        assert read_patch(case, ("PET",), start, (6, 6, 6))[1].any()
        start = patch_start(empty, (6, 6, 6), generator, foreground=True)
        assert all(0 <= s <= n - 6 for s, n in zip(start, case.shape, strict=True))


def test_random_patches_reach_every_corner(tmp_path):
    case = bright_ball(tmp_path, 1)
    generator = np.random.default_rng(0)
    starts = {patch_start(case, (11, 13, 15), generator, foreground=False) for _ in range(100)}
    assert starts == {(k, j, i) for k in (0, 1) for j in (0, 1) for i in (0, 1)}


def test_patch_beyond_the_arrays_is_zero_there(tmp_path):
    case = bright_ball(tmp_path, 1)
    whole, whole_masks = case.read(("PET", "CT"), tuple(slice(0, n) for n in case.shape))
    images, masks = read_patch(case, ("PET", "CT"), (-3, 10, -40), (8, 8, 8))
    assert not images.any()
    images, masks = read_patch(case, ("PET", "CT"), (-3, 10, 2), (8, 8, 8))
    assert np.array_equal(images[:, 3:, :4], whole[:, :5, 10:, 2:10])
    assert np.array_equal(masks[:, 3:, :4], whole_masks[:, :5, 10:, 2:10])
    assert not images[:, :3].any()
    assert not images[:, :, 4:].any()


def test_case_smaller_than_the_patch_lies_in_its_middle(tmp_path):
    case = bright_ball(tmp_path, 1, shape=(9, 9, 9))
    start = patch_start(case, (13, 13, 13), np.random.default_rng(0), foreground=False)
    assert start == (-2, -2, -2)


def test_batches_depend_on_seed_step_and_number_alone(tmp_path):
    first, again = source(tmp_path), source(tmp_path)
    assert equal(first.batch(5, (0, 1)), again.batch(5, (0, 1)))
    whole, one = first.batch(4, (0, 1)), again.batch(4, (1,))
    assert torch.equal(whole.images[1:], one.images)
    assert not equal(first.batch(5, (0, 1)), first.batch(6, (0, 1)))
    assert not equal(first.batch(5, (0, 1)), source(tmp_path, seed=1).batch(5, (0, 1)))


def test_threads_give_the_same_batches_in_the_same_order(tmp_path):
    patches = source(tmp_path, augmentation=1.0)
    alone = list(batches(patches, range(3, 9), (0, 1), n_workers=0))
    threads = list(batches(patches, range(3, 9), (0, 1), n_workers=3))
    assert len(alone) == len(threads) == 6
    assert all(equal(a, b) for a, b in zip(alone, threads, strict=True))


def test_every_case_is_seen_equally_often(tmp_path):
    patches = source(tmp_path, n_cases=4)
    seen = [patches._case(number).case_id for number in range(12)]
    for epoch in range(3):
        assert len(set(seen[4 * epoch : 4 * epoch + 4])) == 4
    assert seen[:4] != seen[4:8] or seen[4:8] != seen[8:]


def test_auxiliaries_are_withheld_with_the_stated_probability(tmp_path):
    patches = source(tmp_path, absence=0.3, augmentation=0)
    present = torch.cat([patches.batch(step, (0, 1)).present for step in range(150)])
    assert (~present).float().mean().item() == pytest.approx(0.3, abs=0.06)
    assert source(tmp_path, absence=0.0).batch(0, (0, 1)).present.all()


@pytest.mark.parametrize("augmentation", [0.0, 1.0])
def test_missing_modality_is_zero_not_usable_and_not_present(tmp_path, augmentation):
    case = bright_ball(tmp_path, 0, modalities=("PET",))
    config = dataclasses.replace(QUICK, absence=0.0, augmentation=augmentation)
    batch = PatchSource([case], PET_CT, config).batch(0, (0, 1))
    assert batch.usable.tolist() == batch.present.tolist() == [[True, False]] * 2
    assert not batch.images[:, 1].any()
    assert batch.images[:, 0].any()


def marked(shape=(8, 10, 12)):
    """Three images and a mask that all are the same picture."""
    picture = np.zeros(shape, dtype=np.float32)
    picture[tuple(slice(n // 4, n // 2) for n in shape)] = 1
    return np.stack([picture, 2 * picture, -picture]), picture[None].astype(np.uint8)


@pytest.mark.parametrize("shape", [(16, 16, 16), (24, 24)])
def test_all_modalities_and_masks_get_the_same_geometry(shape):
    images, masks = marked(shape)
    augmentation = Augmentation(len(shape), 1.0)
    moved = 0
    for seed in range(12):
        tensors = torch.from_numpy(images), torch.from_numpy(masks).float()
        moved_images, moved_masks = augmentation.move(*tensors, np.random.default_rng(seed))
        changed = moved_images.numpy()
        assert np.allclose(changed[1], 2 * changed[0], atol=1e-5)
        assert np.allclose(changed[2], -changed[0], atol=1e-5)
        agreement = (changed[0] > 0.5) == (moved_masks[0].numpy() > 0.5)
        assert agreement.mean() > 0.97
        moved += not np.array_equal(changed, images)
    assert moved >= 8


def test_augmentation_follows_its_seed_and_keeps_masks_binary():
    images, masks = marked()
    augmentation = Augmentation(3, 1.0)
    for seed in range(8):
        first, again = (augmentation(images, masks, seed=seed) for _ in range(2))
        assert torch.equal(first[0], again[0])
        assert set(torch.unique(first[1]).tolist()) <= {0.0, 1.0}
    assert np.array_equal(images, marked()[0])


def test_intensities_change_per_modality():
    images, masks = marked()
    augmentation = Augmentation(3, 1.0)
    differ = 0
    for seed in range(20):
        changed, _ = augmentation(images, masks, seed=seed, geometry=False)
        differ += not torch.allclose(changed[1], 2 * changed[0], atol=1e-4)
    assert differ >= 8


def test_augmentation_of_strength_zero_changes_nothing():
    images, masks = marked()
    changed, targets = Augmentation(3, 0.0)(images, masks, seed=3)
    assert np.array_equal(changed.numpy(), images)
    assert np.array_equal(targets.numpy(), masks)


def test_batch_splits_into_equal_parts(tmp_path):
    batch = source(tmp_path, batch_size=4).batch(0, (0, 1, 2, 3))
    parts = batch.split(2)
    assert [len(part.images) for part in parts] == [2, 2]
    assert torch.equal(torch.cat([part.present for part in parts]), batch.present)
