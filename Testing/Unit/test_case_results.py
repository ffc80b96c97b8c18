"""Results of a case: how their model is named, and which is the newest."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import example_result as example

from CIMLSegmentLib.results.result_io import write_result
from CIMLSegmentLib.task.task_io import load_task
from MultimodalSlicerLib.case_results import model_name, newest_result
from MultimodalSlicerLib.cohort_files import CohortFiles


def test_a_model_is_named_by_its_task_unless_it_has_a_name():
    assert model_name({"model_id": "1c0ffee5aaaa", "step": 400}, "pet-ct") == "pet-ct 1c0ffee5-400"
    assert model_name({"name": "nnU-Net 501"}, "pet-ct") == "nnU-Net 501"


def test_the_newest_result_is_that_of_any_model_or_of_the_one_that_is_meant(tmp_path: Path) -> None:
    files = CohortFiles(str(tmp_path))
    made = example.make_result(example.grid(), load_task("pet-ct"), case="a")
    for n, name in enumerate(("first", "second")):
        result = replace(made, model={**made.model, "name": name})
        folder = write_result(result, files.record.results / name)
        os.utime(folder / "result.json", (n, n))
        found = newest_result("a", files, model="first")
        assert found == files.record.results / "first" / "a"
        assert newest_result("a", files) == folder
    assert newest_result("a", files, model="third") is None
