import dataclasses
import json

import pytest

from CIMLSegmentLib.config import NetworkConfig, TrainingConfig
from MultimodalImagingLib.errors import ModelError, UsageError
from MultimodalImagingLib.record.json_entry import changed_config, config_from_json, config_to_json


@pytest.mark.parametrize(
    "config",
    [
        NetworkConfig(),
        NetworkConfig(gate="dot-product", fusion="sum", deep_supervision=True),
        TrainingConfig(),
        TrainingConfig(patch_size=(64, 64), beta=0, learning_rate=1, seed=9),
    ],
)
def test_configurations_survive_a_round_trip_through_json(config):
    data = json.loads(json.dumps(config_to_json(config)))
    assert config_from_json(type(config), data, where="the configuration") == config


def test_absent_keys_keep_their_default():
    config = config_from_json(TrainingConfig, {"n_steps": 7}, where="train.json")
    assert config == dataclasses.replace(TrainingConfig(), n_steps=7)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"n_step": 3}, r"Unknown key 'n_step' in train\.json; did you mean 'n_steps'"),
        ({"n_steps": 1.5}, "'n_steps' in train.json to be a whole number, got 1.5"),
        ({"dice": 1}, "'dice' in train.json to be true or false, got 1"),
        ({"patch_size": ["a"]}, r"'patch_size\[0\]' in train.json to be a whole number, got 'a'"),
        ([], "train.json to be a JSON object"),
    ],
)
def test_wrong_keys_and_types_are_refused_with_a_sentence(data, message):
    with pytest.raises(ModelError, match=message):
        config_from_json(TrainingConfig, data, where="train.json")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_steps": 0}, "n_steps above 0"),
        ({"beta": -1.0}, "beta of at least 0"),
        ({"beta": float("nan")}, "beta of at least 0"),
        ({"learning_rate": float("inf")}, "learning_rate above 0"),
        ({"absence": 1.5}, "absence within 0 to 1"),
        ({"augmentation": 2.0}, "augmentation within 0 to 1"),
        ({"patch_size": (1,)}, "patch size of 2 or 3"),
        ({"patch_size": (0, 8)}, "patch size of 2 or 3 positive"),
        ({"batch_size": 3, "accumulation": 2}, "multiple of accumulation"),
        ({"optimizer": "adam"}, "one of adamw, sgd"),
        ({"precision": "int8"}, "one of auto, fp32, bf16, fp16"),
    ],
)
def test_values_out_of_range_are_refused_with_a_sentence(change, message):
    with pytest.raises(UsageError, match=message):
        TrainingConfig(**change)


def test_changes_keep_the_rest_of_a_configuration():
    planned = NetworkConfig(
        features=(4, 8, 16),
        strides=((1,) * 3, (2,) * 3, (2,) * 3),
        kernel_sizes=((3,) * 3,) * 3,
        message_levels=(1, 2),
    )
    changed = changed_config(planned, {"gate": "dot-product", "message_levels": [2]}, where="here")
    expected = dataclasses.replace(planned, gate="dot-product", message_levels=(2,))
    assert changed == expected
    with pytest.raises(ModelError, match="Unknown key 'gates' in here; did you mean 'gate'"):
        changed_config(planned, {"gates": "spatial"}, where="here")
