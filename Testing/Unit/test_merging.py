import itertools
import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from CIMLSegmentLib.task.regions import merge_regions, region_logits, region_masks
from CIMLSegmentLib.task.task_io import PRESET_FOLDER, load_task, task_from_json


def brats(*, keep):
    data = json.loads((PRESET_FOLDER / "brats.json").read_text())
    data["merge"]["keep_inner_outside_outer"] = keep
    return task_from_json(data)


def two_disjoint_regions():
    data = json.loads((PRESET_FOLDER / "pet-ct.json").read_text())
    region = data["regions"][0]
    data["labels"] = {"primary": 1, "node": 2}
    data["regions"] = [
        {**region, "name": "GTVp", "labels": [1]},
        {**region, "name": "GTVn", "labels": [2]},
    ]
    data["subtasks"][0]["regions"] = ["GTVp", "GTVn"]
    return task_from_json(data)


def arrays(task, values):
    return {
        name: np.atleast_1d(np.float32(v))
        for name, v in zip(task.region_names, values, strict=True)
    }


def test_nested_merge_with_and_drops_inner_regions_outside_the_outer_one():
    task = brats(keep=False)
    for wt, tc, et in itertools.product([0.2, 0.9], repeat=3):
        expected = 0 if wt < 0.5 else 2 if tc < 0.5 else 1 if et < 0.5 else 4
        assert merge_regions(arrays(task, (wt, tc, et)), task)[0] == expected


def test_nested_merge_without_and_paints_as_nnunet_does():
    task = brats(keep=True)
    for wt, tc, et in itertools.product([0.2, 0.9], repeat=3):
        expected = 4 if et > 0.5 else 1 if tc > 0.5 else 2 if wt > 0.5 else 0
        assert merge_regions(arrays(task, (wt, tc, et)), task)[0] == expected


def test_disjoint_merge_takes_the_most_probable_region_above_a_half():
    task = two_disjoint_regions()
    cases = {(0.6, 0.7): 2, (0.7, 0.6): 1, (0.5, 0.5): 0, (0.4, 0.3): 0, (0.51, 0.2): 1}
    for probabilities, expected in cases.items():
        assert merge_regions(arrays(task, probabilities), task)[0] == expected


probability = st.floats(0, 1, width=32)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(probability, probability, probability), min_size=1), st.booleans())
def test_merged_map_is_always_valid(voxels, keep):
    task = brats(keep=keep)
    columns = np.array(voxels, dtype=np.float32).T
    label_map = merge_regions(dict(zip(task.region_names, columns, strict=True)), task)
    masks = region_masks(label_map, task)
    assert set(np.unique(label_map)) <= {0, *task.labels}
    assert not (masks["ET"] & ~masks["TC"]).any()
    assert not (masks["TC"] & ~masks["WT"]).any()
    painted = merge_regions({name: m.astype(np.float32) for name, m in masks.items()}, task)
    assert np.array_equal(painted, label_map)


def test_region_masks_are_the_sets_of_labels_and_ignore_unknown_values():
    masks = region_masks(np.array([0, 1, 2, 4, 9]), brats(keep=False))
    assert masks["WT"].tolist() == [False, True, True, True, False]
    assert masks["TC"].tolist() == [False, True, False, True, False]
    assert masks["ET"].tolist() == [False, False, False, True, False]


def test_several_subtasks_on_one_region_give_the_mean_of_their_logits():
    data = json.loads((PRESET_FOLDER / "pet-ct.json").read_text())
    data["subtasks"].append(
        {"name": "lesion in CT", "primary": "CT", "auxiliaries": ["PET"], "regions": ["lesion"]}
    )
    data["subtasks"][1]["name"] = "lesion-CT"
    task = task_from_json(data)
    logits = {"lesion": np.full((1, 2, 2, 2), 3.0), "lesion-CT": np.full((1, 2, 2, 2), -1.0)}
    assert region_logits(logits, task)["lesion"] == pytest.approx(np.full((2, 2, 2), 1.0))
    tensors = {name: torch.from_numpy(values) for name, values in logits.items()}
    assert torch.equal(region_logits(tensors, task)["lesion"], torch.ones(2, 2, 2).double())


def test_subtask_without_its_primary_leaves_its_regions_to_others_or_out():
    assert set(region_logits({"WT": np.zeros((1, 3))}, load_task("brats"))) == {"WT"}


def test_channels_follow_the_regions_of_each_subtask():
    logits = {"WT": np.zeros((1, 3)), "TC-ET": np.stack([np.ones(3), np.full(3, 2.0)])}
    merged = region_logits(logits, load_task("brats"))
    assert {name: values[0] for name, values in merged.items()} == {"WT": 0, "TC": 1, "ET": 2}


def test_missing_regions_and_impossible_probabilities_are_refused():
    task = brats(keep=False)
    with pytest.raises(ValueError, match="none of ET"):
        merge_regions({"WT": np.zeros(3), "TC": np.zeros(3)}, task)
    for wrong in (np.nan, 1.5, -0.1):
        with pytest.raises(ValueError, match="region 'TC'"):
            merge_regions(arrays(task, (0.5, wrong, 0.5)), task)


def test_probabilities_are_not_changed():
    task = brats(keep=False)
    probabilities = arrays(task, (0.9, 0.8, 0.7))
    merge_regions(probabilities, task)
    assert [float(p[0]) for p in probabilities.values()] == pytest.approx([0.9, 0.8, 0.7])
