from __future__ import annotations

from MultimodalSlicerLib.case_opening import modelName


def test_a_model_is_named_by_its_task_unless_it_has_a_name():
    assert modelName({"model_id": "1c0ffee5aaaa", "step": 400}, "pet-ct") == "pet-ct 1c0ffee5-400"
    assert modelName({"name": "nnU-Net 501"}, "pet-ct") == "nnU-Net 501"
