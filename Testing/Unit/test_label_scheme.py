"""What label values stand for: names, the user's word, the task's own values, or a question."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from CIMLSegmentLib.task.label_scheme import LabelScheme, check_regions, grouped, label_scheme
from CIMLSegmentLib.task.label_values import named_schemes, parse_label_values, value_of_name
from CIMLSegmentLib.task.task import Task
from CIMLSegmentLib.task.task_io import load_task
from MultimodalImagingLib.cohorts.label_survey import CaseLabels, FoundLabel
from MultimodalImagingLib.errors import CohortError, UsageError
from MultimodalImagingLib.images.geometry import Grid, Volume
from MultimodalImagingLib.images.label_map import LabelMap
from MultimodalImagingLib.images.label_names import LabelName

BRATS, PET_CT = load_task("brats"), load_task("pet-ct")
CORE, EDEMA, ENHANCING = 1, 2, 4


def plain(case_id: str, *values: int, names: Mapping[int, str] | None = None) -> CaseLabels:
    """A label map without names of its own; `names` lie beside it."""
    found = names or {}
    labels = [FoundLabel(v, v, (LabelName(found[v]),) if v in found else (), 1.0) for v in values]
    return CaseLabels(case_id, tuple(labels))


def segments(case_id: str, *names: str | tuple[str, ...], code: str = "") -> CaseLabels:
    """A segmentation file; a tuple of names is an overlap."""
    labels = []
    for number, name in enumerate(names, start=1):
        parts = (name,) if isinstance(name, str) else name
        all_names = tuple(LabelName(part, code) for part in parts)
        labels.append(FoundLabel(number, number, all_names, 1.0, is_segment=True))
    return CaseLabels(case_id, tuple(labels))


def scheme(cases: list[CaseLabels], said: str = "", task: Task = BRATS) -> LabelScheme:
    return label_scheme(task, cases, parse_label_values(said, task))


def values(cases: list[CaseLabels], said: str = "", task: Task = BRATS) -> list[dict[int, int]]:
    return [dict(found) for found in scheme(cases, said, task).translations.values()]


def asked(cases: list[CaseLabels], said: str = "", task: Task = BRATS) -> str:
    with pytest.raises(CohortError) as caught:
        scheme(cases, said, task)
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("enhancing_tumor", ENHANCING),
        ("Enhancing tumour", ENHANCING),
        ("ET", ENHANCING),
        ("EnhancingTumor", ENHANCING),
        ("GD-enhancing tumor", ENHANCING),
        ("Non-enhancing tumor core", CORE),
        ("non_enhancing", CORE),
        ("NCR/NET", CORE),
        ("Necrotic tumor core (NCR)", CORE),
        ("peritumoral oedema", EDEMA),
        ("SNFH", EDEMA),
        ("Whole Tumour", EDEMA),
        ("Tumor core", CORE),
        ("background", 0),
        ("ignore", 0),
        ("Nekrose", None),
        ("resection cavity", None),
        ("tumor", None),
        ("", None),
    ],
)
def test_names_are_found_in_any_spelling(name: str, value: int | None) -> None:
    assert value_of_name(LabelName(name), BRATS) == value


def test_standard_codes_help_where_names_do_not() -> None:
    assert value_of_name(LabelName("Läsion", "SCT^108369006^Neoplasm"), BRATS) == CORE
    assert value_of_name(LabelName("Ödem", "SCT^79654002^Edema"), BRATS) == EDEMA
    assert value_of_name(LabelName("Gewebe", "SCT^85756007^Tissue"), BRATS) is None


def test_values_of_the_task_are_taken_as_they_are() -> None:
    assert values([plain("a", 1, 2, 4), plain("b", 2), plain("c")]) == [
        {1: 1, 2: 2, 4: 4},
        {2: 2},
        {},
    ]


def test_names_come_before_values_also_if_they_swap_them() -> None:
    names = {1: "edema", 2: "necrotic core", 4: "Enhancing tumour"}
    assert values([plain("a", 1, 2, 4, names=names)]) == [{1: EDEMA, 2: CORE, 4: ENHANCING}]


def test_names_that_say_nothing_leave_it_to_values() -> None:
    names = {1: "label 1", 2: "class_2", 4: "4"}
    assert values([plain("a", 1, 2, 4, names=names)]) == [{1: 1, 2: 2, 4: 4}]


def test_region_lists_name_the_innermost_region() -> None:
    label = FoundLabel(3, 3, tuple(map(LabelName, ("whole tumor", "tumor core", "ET"))), 1.0)
    inner = FoundLabel(2, 2, tuple(map(LabelName, ("whole tumor", "tumor core"))), 1.0)
    assert values([CaseLabels("a", (inner, label))]) == [{2: CORE, 3: ENHANCING}]


def test_overlapping_segments_take_the_innermost_and_equal_ones_are_asked_about() -> None:
    cases = [segments("a", "Whole tumor", ("Whole tumor", "Enhancing tumor"))]
    assert values(cases) == [{1: EDEMA, 2: ENHANCING}]
    assert "edema and Nekrose" in asked([segments("a", ("edema", "Nekrose"))])
    assert values([segments("a", ("edema", "Nekrose"))], "edema and Nekrose=NCR") == [{1: CORE}]
    assert values([segments("a", ("edema", "Nekrose"))], "Nekrose=NCR") == [{1: CORE}]


def test_segments_are_known_by_name_and_not_by_number() -> None:
    cases = [segments("a", "edema", "ET"), segments("b", "ET", "edema")]
    assert values(cases) == [{1: EDEMA, 2: ENHANCING}, {1: ENHANCING, 2: EDEMA}]


def test_segments_without_names_are_asked_about_unless_there_is_one_label() -> None:
    cases = [segments("a", "Segment_1", "Segment_2")]
    assert "Segment_1" in asked(cases)
    assert values(cases, "Segment_1=edema,Segment_2=ET") == [{1: EDEMA, 2: ENHANCING}]
    assert values([segments("a", "Segment_1")], task=PET_CT) == [{1: 1}]


def test_segments_of_another_language_are_asked_about() -> None:
    text = asked([segments("a", "Ödem", "Nekrose"), segments("b", "Ödem")])
    assert "Ödem in 2 cases (a, b)" in text
    assert "Nekrose in 1 case (a)" in text
    assert values([segments("a", "Ödem", "Nekrose")], "ödem=edema, nekrose=NCR") == [{1: 2, 2: 1}]


def test_enhancing_3_is_asked_about_with_the_scheme_to_give() -> None:
    cases = [plain(name, 1, 2, 3) for name in "abcdefgh"]
    text = asked(cases)
    assert "3 in 8 cases (a, b, c, d, e and 3 more)" in text
    assert "--label-values brats-2023" in text
    assert '--label-values "3=ET"' in text
    for said in ("brats-2023", "ET=3", "3=ET", "3 = enhancing tumor", "3=4"):
        assert values(cases, said)[0] == {1: CORE, 2: EDEMA, 3: ENHANCING}


def test_mixed_schemes_are_named_by_case() -> None:
    text = asked([plain("old", 1, 2, 4), plain("new", 1, 2, 3)])
    assert "No case has both 4 and 3: 4 is in 1 case (old)" in text
    assert "3 in 1 case (new)" in text


def test_resection_cavity_is_not_taken_for_enhancing_tumor() -> None:
    cases = [plain("a", 1, 2, 3, 4), plain("b", 1, 2, 4)]
    assert "--label-values brats-gli-2024" in asked(cases)
    assert values(cases, "brats-gli-2024")[0] == {1: CORE, 2: EDEMA, 3: ENHANCING, 4: 0}
    assert "found 4 in 2 cases" in asked(cases, "3=ET")
    assert values(cases, "3=ET,4=ignore")[1] == {1: CORE, 2: EDEMA, 4: 0}


def test_pediatric_values_are_those_of_their_scheme() -> None:
    cases = [plain("a", 1, 2, 3, 4)]
    assert "--label-values brats-ped" in asked(cases)
    assert values(cases, "brats-ped") == [{1: ENHANCING, 2: CORE, 3: CORE, 4: EDEMA}]


def test_single_entries_count_before_a_scheme() -> None:
    assert values([plain("a", 1, 2, 3, 4)], "4=edema,brats-gli-2024")[0][4] == EDEMA


@pytest.mark.parametrize("value", [255, 1024, 65535, 5])
def test_one_other_value_is_taken_for_the_only_label_and_said(value: int) -> None:
    found = scheme([plain("a", value), plain("b", value)], task=PET_CT)
    assert found.translations["b"] == {value: 1}
    assert f"{value} in place of 1" in found.warnings[0]


def test_two_values_for_one_label_are_asked_about() -> None:
    for cases in ([plain("a", 1, 255)], [plain("a", 1), plain("b", 255)], [plain("a", 1, 2, 3)]):
        asked(cases, task=PET_CT)
    assert values([plain("a", 1, 2, 3)], "3=lesion,others=ignore", PET_CT) == [{1: 0, 2: 0, 3: 1}]


def test_255_with_several_labels_is_asked_about() -> None:
    assert "255" in asked([plain("a", 255)])


def test_negative_values_are_asked_about_and_can_be_answered() -> None:
    cases = [plain("a", -1, 1, 2, 4)]
    assert '--label-values="-1=ET"' in asked(cases)
    assert values(cases, "-1=ignore")[0][-1] == 0


def test_voxels_without_annotation_are_said() -> None:
    found = scheme([plain("a", 1, 2, 4, 5, names={5: "ignore"})])
    assert found.translations["a"][5] == 0
    assert any("not annotated" in text for text in found.warnings)


def test_an_image_in_place_of_a_label_map_is_called_one() -> None:
    text = asked([plain("a", 1, 2, 4), plain("b", *range(1, 500))])
    assert "label map of 1 case (b)" in text
    assert len(text) < 2500


def test_names_that_do_not_occur_do_no_harm() -> None:
    names = {1: "necrosis", 2: "edema", 4: "ET", 9: "something"}
    assert values([plain("a", 1, 2, 4, names=names)]) == [{1: 1, 2: 2, 4: 4}]


def test_a_named_thing_that_the_task_lacks_is_asked_about() -> None:
    names = {1: "NCR", 2: "ED", 3: "ET", 4: "resection cavity"}
    cases = [plain("a", 1, 2, 3, 4, names=names)]
    assert "resection cavity" in asked(cases)
    assert values(cases, "resection cavity=ignore")[0] == {1: 1, 2: 2, 3: 4, 4: 0}


@pytest.mark.parametrize("said", ["3", "=ET", "3=", "3=liver", "ET=liver", "3=9", "brats-1999"])
def test_entries_that_are_not_understood_are_refused(said: str) -> None:
    with pytest.raises(UsageError, match="--label-values"):
        parse_label_values(said, BRATS)


def test_answers_about_nothing_are_said() -> None:
    cases = [plain("a", 1, 2, 4), segments("b", "Segment_1", "ET")]
    said = "7=ET,Segment_1=edema,liver=NCR,brats-2018"
    warnings = scheme(cases, said).warnings
    assert ["'7'" in text for text in warnings] == [True, False]
    assert "'liver'" in warnings[1]


def test_contradicting_entries_are_refused() -> None:
    with pytest.raises(UsageError, match="one meaning"):
        parse_label_values("3=ET,3=edema", BRATS)


def test_every_named_scheme_reaches_every_label_of_brats() -> None:
    for named in named_schemes():
        assert set(named.values(BRATS).values()) - {0} == set(BRATS.labels)


def test_regions_that_no_case_has_stop_a_training() -> None:
    cases = [plain("a", 1, 2), plain("b", 2)]
    found = scheme(cases)
    assert [region.name for region in found.empty_regions] == ["ET"]
    with pytest.raises(CohortError, match=r'none of ET .* --label-values "VALUE=ET"'):
        check_regions(found, cases)
    with pytest.raises(CohortError, match="every label map is empty"):
        check_regions(scheme([plain("a")]), [plain("a")])
    check_regions(scheme([plain("a", 1, 4)]), [plain("a", 1, 4)])


def test_a_label_map_is_read_with_the_values_of_the_task() -> None:
    grid = Grid((4, 1, 1), (1.0,) * 3, (0.0,) * 3, tuple(np.eye(3).ravel()))
    array = np.array([[[0, 1, 3, 4]]], np.int32)
    found = scheme([plain("a", 1, 3, 4)], "1=ET,3=edema,4=NCR")
    read = found.read("a", LabelMap(Volume(array, grid)))
    assert read.array.tolist() == [[[0, ENHANCING, EDEMA, CORE]]]


def test_the_mapping_is_one_line() -> None:
    found = scheme([plain("a", 1, 2, 3), plain("b", 2)], "brats-2023")
    assert "3 = enhancing tumor (1 case, --label-values)" in found.summary
    assert "2 = edema (2 cases, --label-values)" in found.summary


def test_equal_sentences_are_said_once() -> None:
    assert grouped({"a": "X.", "b": "Y.", "c": "X."}) == ["Cases a, c: X.", "Case b: Y."]
