"""JSON that was not written here, and what its readers say about it."""

from __future__ import annotations

import hashlib
import json

import pytest

from MultimodalImagingLib.cohorts.layouts.csv_manifest import list_cases
from MultimodalImagingLib.cohorts.modality_patterns import read_patterns
from MultimodalImagingLib.errors import CohortError, ModelError, UsageError
from MultimodalImagingLib.record.cohort_record import CohortRecord
from MultimodalImagingLib.record.json_entry import JsonEntry, json_value, parse_json
from MultimodalImagingLib.record.selection_file import suggested_cases, write_selection_content

DEEP = "[" * 100_000


def test_deep_nesting_is_a_value_error():
    with pytest.raises(ValueError, match="nested too deeply"):
        json_value(DEEP)
    with pytest.raises(ModelError, match="nested too deeply"):
        parse_json(DEEP, "The file")


@pytest.mark.parametrize("text", ['"\\ud800"', b'{"\\uD800": 1}'])
def test_half_a_character_is_a_value_error(text):
    with pytest.raises(ValueError, match="surrogates"):
        json_value(text)


def test_whole_characters_beyond_the_first_plane_are_kept():
    assert json_value('"\\ud83e\\udde0"') == "\U0001f9e0"


def test_deeply_nested_states_are_refused(tmp_path):
    (tmp_path / "cases.json").write_text(DEEP, encoding="utf-8")

    with pytest.raises(CohortError, match=r"cases\.json"):
        CohortRecord(tmp_path).read_states()


@pytest.mark.parametrize("number", [10**400, float("inf"), -(10**309)])
def test_numbers_beyond_double_precision_are_no_numbers(number):
    with pytest.raises(ModelError, match="a number"):
        JsonEntry({"x": number}, "it").value("x", float)


@pytest.mark.parametrize(
    ("found", "kind"),
    [(True, int), (False, float), (1, bool), (1.5, int), ("1", int), (None, str), ([], dict)],
)
def test_a_value_of_another_type_is_refused(found, kind):
    with pytest.raises(ModelError, match="Expected 'x' in it to be"):
        JsonEntry({"x": found}, "it").value("x", kind)


def test_modality_patterns_must_be_texts(tmp_path):
    path = tmp_path / "modalities.json"
    path.write_text('{"format": 1, "patterns": [{"pattern": "t1", "modality": 0.5}]}')

    with pytest.raises(UsageError, match="two texts"):
        read_patterns(path)


def test_manifest_with_nul_is_refused(tmp_path):
    path = tmp_path / "cohort.csv"
    path.write_bytes(b"case,T1\nc1,a\0b.nii.gz\n")

    with pytest.raises(CohortError, match="NUL"):
        list_cases(path)


def test_ranks_beyond_all_numbers_are_refused(tmp_path):
    write_selection_content(tmp_path, {"cases": [{"rank": 1, "case": "c", "suggested": True}]})
    document = json.loads((tmp_path / "selection.json").read_text(encoding="utf-8"))
    document["selection"]["cases"][0]["rank"] = float("inf")
    text = json.dumps(document["selection"], sort_keys=True, separators=(",", ":"))
    document["sha256"] = hashlib.sha256(text.encode()).hexdigest()
    (tmp_path / "selection.json").write_text(json.dumps(document), encoding="utf-8")

    with pytest.raises(CohortError, match="OverflowError"):
        suggested_cases(tmp_path)
