import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from example_training import PET_CT, TINY, bright_ball

from CIMLSegmentLib.inference.devices import Processes
from CIMLSegmentLib.inference.window_box import body_box
from CIMLSegmentLib.network.network import CIMLNet, CIMLOutput
from CIMLSegmentLib.task.task_io import PRESET_FOLDER, task_from_json
from CIMLSegmentLib.training import validation
from CIMLSegmentLib.training.validation import validate_case, validate_cases, validation_plan
from MultimodalImagingLib.errors import UsageError
from MultimodalImagingLib.images.geometry import Grid
from MultimodalImagingLib.images.overlap import ONE_EMPTY_MM

CPU = torch.device("cpu")
PLAN = validation_plan((8, 8, 8), CPU)
ALONE = Processes(0, 1, CPU)


class Threshold(CIMLNet):
    """Calls bright what is bright in a sub-task's primary."""

    threshold = 1.0

    def forward(self, images, **_):
        logits = {}
        for subtask in self.task.subtasks:
            channel = self.task.modality_index(subtask.primary)
            logits[subtask.name] = 20 * (images[:, channel : channel + 1] - self.threshold)
        return CIMLOutput(logits)


def both_ways():
    """PET and CT each find the lesion as primary; their logits are averaged."""
    data = json.loads((PRESET_FOLDER / "pet-ct.json").read_text())
    other = {"name": "other", "primary": "CT", "auxiliaries": ["PET"], "regions": ["lesion"]}
    data["subtasks"].append(other)
    return task_from_json(data)


def expected_dice(case, modality, threshold):
    images, masks = case.read((modality,), tuple(slice(0, n) for n in case.shape))
    found, truth = images[0] > threshold, masks[0].astype(bool)
    return 2 * (found & truth).sum() / (found.sum() + truth.sum())


@pytest.mark.parametrize("shape", [(12, 14, 16), (7, 9, 21)])
def test_score_is_that_of_the_whole_image_whatever_its_size(tmp_path, shape):
    case = bright_ball(tmp_path, 3, shape=shape)
    score = validate_case(Threshold(PET_CT, TINY), case, PLAN)
    assert score.dice["lesion"] == pytest.approx(expected_dice(case, "PET", 1.0))
    assert 0 <= score.hd95_mm["lesion"] < 30


def test_nothing_found_counts_as_the_brats_rules_say(tmp_path):
    network = Threshold(PET_CT, TINY)
    network.threshold = 99.0
    score = validate_case(network, bright_ball(tmp_path, 3), PLAN)
    assert (score.dice["lesion"], score.hd95_mm["lesion"]) == (0.0, ONE_EMPTY_MM)


def test_subtask_whose_primary_is_missing_has_no_say(tmp_path):
    case = bright_ball(tmp_path, 3, modalities=("PET",))
    score = validate_case(Threshold(both_ways(), TINY), case, PLAN)
    assert score.dice["lesion"] == pytest.approx(expected_dice(case, "PET", 1.0))


def test_withheld_auxiliary_is_not_present(tmp_path):
    seen = []

    class Watching(Threshold):
        def forward(self, images, *, present, **_):
            seen.append(present[0].tolist())
            return super().forward(images)

    network = Watching(PET_CT, TINY)
    case = bright_ball(tmp_path, 3)
    validate_case(network, case, PLAN, withheld=("CT",))
    assert {tuple(row) for row in seen} == {(True, False)}


def test_means_are_over_cases_and_regions_and_need_the_primary(tmp_path):
    cases = [bright_ball(tmp_path, n) for n in (1, 2)]
    blind = bright_ball(tmp_path, 3, modalities=("CT",))
    metrics = validate_cases(Threshold(PET_CT, TINY), [*cases, blind], PLAN, ALONE)
    dices = [expected_dice(case, "PET", 1.0) for case in cases]
    assert metrics["dice lesion"] == metrics["dice"] == pytest.approx(np.mean(dices))
    assert set(metrics) == {"dice", "dice lesion", "hd95_mm lesion"}


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_processes_divide_the_cases_without_rest_or_overlap(count):
    shares = [Processes(rank, count, CPU).share(4) for rank in range(count)]
    assert sorted(number for share in shares for number in share) == [0, 1, 2, 3]
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_batch_has_to_split_into_equal_parts():
    Processes(0, 2, CPU).check_batch(8, 2)
    with pytest.raises(UsageError, match="got 6 for 2 processes x 2"):
        Processes(0, 2, CPU).check_batch(6, 2)


def test_network_keeps_its_mode(tmp_path):
    network = Threshold(PET_CT, TINY).train()
    validate_case(network, bright_ball(tmp_path, 3), PLAN)
    assert network.training


@pytest.mark.parametrize("rim", [0, 2, 9])
def test_a_case_lies_in_its_windows_as_when_it_is_segmented(tmp_path, monkeypatch, rim):
    """Where the image ends beside the body, the box of windows begins before it."""
    body = np.zeros((14, 15, 21), bool)
    body[rim : 14 - min(rim, 5), 4:12, 5:18] = True
    grid = Grid((21, 15, 14), (2.0, 2.0, 3.0), (0.0, 0.0, 0.0), (1, 0, 0, 0, 1, 0, 0, 0, 1))
    network = Threshold(PET_CT, TINY)
    box = body_box([body], grid)
    windows = box.fitted(window=PLAN.window, stride=network.config.total_stride)
    case = bright_ball(tmp_path, 3, shape=body[box.visible].shape)
    case = replace(
        case,
        before=tuple(part.start for part in box.inner),
        after=tuple(n - part.stop for n, part in zip(box.size, box.inner, strict=True)),
    )
    images, _ = case.read(("PET", "CT"), tuple(slice(0, n) for n in case.shape))
    whole = np.zeros((2, *body.shape), np.float32)
    whole[(slice(None), *box.visible)] = images
    seen = []

    def predict(_network, images, *_rest):
        seen.append(images.numpy())
        return CIMLOutput({"lesion": images[:1]})

    monkeypatch.setattr(validation, "predict_windows", predict)
    validate_case(network, case, PLAN)

    assert np.array_equal(seen[0], np.stack([windows.cut(image) for image in whole]))
