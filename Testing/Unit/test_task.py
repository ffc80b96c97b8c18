import copy
import json
import re

import pytest

from CIMLSegmentLib.task.task_io import (
    PRESET_FOLDER,
    CohortModalities,
    load_task,
    preset_names,
    task_from_json,
    task_to_json,
)
from MultimodalImagingLib.errors import ModelError

COHORT = CohortModalities({"PET": "PET", "CT": "CT", "T1": "MR"}, primary="CT")


def brats():
    return json.loads((PRESET_FOLDER / "brats.json").read_text())


def refusal(data, cohort=None):
    with pytest.raises(ModelError) as caught:
        task_from_json(data, cohort=cohort)
    message = str(caught.value)
    assert message.endswith((".", "?"))
    return message


def test_presets_are_the_four_documented_ones():
    assert preset_names() == ("brats", "pet-ct", "pet-ct-mr", "single-target")


@pytest.mark.parametrize("name", ["brats", "pet-ct", "pet-ct-mr", "single-target"])
def test_every_preset_survives_a_round_trip_through_json(name):
    task = load_task(name, cohort=COHORT)
    restored = task_from_json(json.loads(json.dumps(task_to_json(task), sort_keys=True)))
    assert restored == task
    assert list(restored.modalities) == list(task.modalities)


def test_brats_assigns_flair_to_the_whole_tumor_and_t1c_to_core_and_enhancing_tumor():
    task = load_task("brats")
    assert [(s.primary, s.regions) for s in task.subtasks] == [
        ("FLAIR", ("WT",)),
        ("T1c", ("TC", "ET")),
    ]
    assert [region.value for region in task.regions] == [2, 1, 4]
    assert task.primaries == ("FLAIR", "T1c")
    assert len(list(task.pairs())) == 6


def test_single_target_takes_modalities_and_primary_from_the_cohort():
    task = load_task("single-target", cohort=COHORT)
    assert task.subtasks[0].primary == "CT"
    assert task.subtasks[0].auxiliaries == ("PET", "T1")


def test_single_target_without_a_primary_says_which_there_are():
    with pytest.raises(ModelError, match=r"expected one of PET, CT, T1, got None"):
        load_task("single-target", cohort=CohortModalities(COHORT.kinds))
    with pytest.raises(ModelError, match="no cohort was given"):
        load_task("single-target")


def test_a_copied_and_edited_preset_loads_from_its_path(tmp_path):
    data = brats()
    data["subtasks"][0]["auxiliaries"] = ["T2"]
    data["subtasks"][1]["auxiliaries"] = ["T1"]
    path = tmp_path / "mein Täsk.json"
    path.write_text(json.dumps(data), encoding="utf-8")
    assert load_task(path).subtask("WT").auxiliaries == ("T2",)


def test_a_missing_file_names_the_presets():
    with pytest.raises(ModelError, match=r"brats, pet-ct, pet-ct-mr, single-target.*'brast'"):
        load_task("brast")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("{", r"task\.json"),
        ('{"a": NaN}', "NaN is no number"),
        ('{"a": -Infinity}', "-Infinity is no number"),
        ('{"a": 1, "a": 2}', "key 'a' occurs twice"),
        ('{"b": {"a": 1, "a": 1}}', "key 'a' occurs twice"),
        ("\xff", r"task\.json"),
        ("", r"task\.json"),
    ],
)
def test_broken_json_names_file_and_place(tmp_path, text, found):
    path = tmp_path / "task.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(ModelError, match=found):
        load_task(path)


def edit(change):
    data = copy.deepcopy(brats())
    change(data)
    return data


FAULTS = {
    "unknown key at the top": (lambda d: d.update(modality={}), "Unknown key 'modality'"),
    "misspelt key": (lambda d: d["subtasks"][0].update(primry="T1"), "did you mean 'primary'"),
    "unknown key in region": (lambda d: d["regions"][0].update(paint=1), "Unknown key 'paint'"),
    "unknown key in merge": (lambda d: d["merge"].update(order=1), "Unknown key 'order'"),
    "missing key": (lambda d: d.pop("labels"), "'labels' is missing"),
    "missing terminology": (lambda d: d["regions"][0].pop("terminology"), "'terminology'"),
    "wrong type": (lambda d: d.update(name=3), "Expected 'name' in the task to be a text"),
    "bool as label": (lambda d: d["labels"].update(edema=True), "a whole number, got True"),
    "region is a list": (lambda d: d["regions"].__setitem__(0, []), "region 1 to be a JSON object"),
    "unknown version": (lambda d: d.update(format_version=2), "format version 1"),
    "unknown modality": (
        lambda d: d["subtasks"][0].update(primary="PET"),
        "uses modality 'PET'; the task has FLAIR, T1c, T1, T2",
    ),
    "unused modality": (lambda d: d["modalities"].update(CT="CT"), "No sub-task uses modality"),
    "listed modality twice": (
        lambda d: d.update(modalities=[{"name": "T1", "kind": "MR"}] * 2),
        "modality 'T1' occurs twice",
    ),
    "unknown kind": (lambda d: d["modalities"].update(T1="MRI"), "kind 'MRI'; use one of MR, CT"),
    "primary also auxiliary": (
        lambda d: d["subtasks"][0]["auxiliaries"].append("FLAIR"),
        "'FLAIR' as primary and as auxiliary",
    ),
    "auxiliary twice": (lambda d: d["subtasks"][0]["auxiliaries"].append("T1"), "'T1' twice"),
    "duplicate sub-task": (lambda d: d["subtasks"][1].update(name="WT"), "'WT' occurs twice"),
    "duplicate region": (lambda d: d["regions"][1].update(name="WT"), "'WT' occurs twice"),
    "two labels of one value": (lambda d: d["labels"].update(edema=1), "the same value"),
    "region without prediction": (
        lambda d: d["subtasks"][1].update(regions=["TC"]),
        "No sub-task predicts region 'ET'",
    ),
    "predicted region unknown": (
        lambda d: d["subtasks"][1]["regions"].append("NET"),
        "predicts 'NET', which is no region",
    ),
    "label in no region": (lambda d: d["labels"].update(cyst=7), "belongs to no region"),
    "region with unknown label": (lambda d: d["regions"][0]["labels"].append(9), "label value 9"),
    "region without labels": (lambda d: d["regions"][2].update(labels=[]), "has no label value"),
    "background as label": (lambda d: d["labels"].update(background=0), "0 is background"),
    "cycle": (
        lambda d: d["regions"][0].update(inside="ET"),
        r"is a cycle \(WT inside ET inside TC inside WT\)",
    ),
    "inside itself": (lambda d: d["regions"][2].update(inside="ET"), "ET inside ET"),
    "inside nothing": (lambda d: d["regions"][1].update(inside="XY"), "'XY', which is no region"),
    "inner not smaller": (lambda d: d["regions"][1].update(labels=[1, 2, 4]), "some, not all"),
    "overlap without nesting": (lambda d: d["regions"][2].pop("inside"), "share label value 4"),
    "nesting with disjoint rule": (
        lambda d: d["merge"].update(rule="disjoint"),
        "but the merge rule is disjoint",
    ),
    "unknown rule": (lambda d: d["merge"].update(rule="paint"), "use one of nested, disjoint"),
    "unclear painted value": (
        lambda d: (d["labels"].update(halo=3), d["regions"][0]["labels"].append(3)),
        r"has 2 label values of its own \(2, 3\)",
    ),
    "painted value of an inner region": (lambda d: d["regions"][0].update(value=4), "paints"),
    "color": (lambda d: d["regions"][0].update(color=[0, 0]), "red, green, blue"),
    "color range": (lambda d: d["regions"][0].update(color=[0, 0, 256]), "outside 0 to 255"),
    "code": (
        lambda d: d["regions"][0]["terminology"].update(type="Mass"),
        r"scheme\^code\^meaning",
    ),
    "name with a slash": (lambda d: d["regions"][0].update(name="W/T"), "part of a file name"),
    "no sub-task": (lambda d: d.update(subtasks=[]), "It has no sub-task"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faulty_task_is_refused_with_a_sentence(fault):
    change, expected = FAULTS[fault]
    message = refusal(edit(change))
    assert re.search(expected, message), message


def test_all_problems_are_told_at_once():
    data = brats()
    data["subtasks"][0]["primary"] = "PET"
    data["subtasks"][1]["regions"].append("NET")
    message = refusal(data)
    assert "'PET'" in message
    assert "'NET'" in message


def test_modality_index_follows_the_order_of_the_task():
    task = load_task("brats")
    assert [task.modality_index(m) for m in ("FLAIR", "T1c", "T1", "T2")] == [0, 1, 2, 3]
