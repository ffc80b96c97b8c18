from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from example_selection import example_scores, example_selection, write_example_run

from MDALSelectorLib.case_selection import CaseSelection, Flag, RankedCase
from MDALSelectorLib.result import (
    read_embeddings,
    read_selection,
    selection_csv,
    write_embeddings,
    write_selection,
)
from MDALSelectorLib.selection_json import content_from_selection, rounded_numbers
from MultimodalImagingLib.errors import CohortError, CrossModalError


@pytest.fixture(scope="module")
def selection() -> CaseSelection:
    return example_selection()


def files(folder: Path) -> dict[str, bytes]:
    found = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def test_a_run_that_was_written_is_read_back_as_it_was(
    tmp_path: Path, selection: CaseSelection
) -> None:
    write_selection(tmp_path, selection)
    found = read_selection(tmp_path)
    assert content_from_selection(found) == content_from_selection(selection)
    assert found.cases[0].pmi == pytest.approx(selection.cases[0].pmi, abs=1e-6)
    assert found.cases[0].flags == selection.cases[0].flags
    assert found.comparison is not None
    assert found.comparison.n_shared == selection.comparison.n_shared  # type: ignore[union-attr]


def test_the_same_run_gives_the_same_bytes_in_every_file(tmp_path: Path) -> None:
    write_example_run(tmp_path / "a")
    write_example_run(tmp_path / "b")
    first = files(tmp_path / "a")
    assert len(first) == 3 + 13  # 11 suggested and 2 flagged cases have a picture
    assert first == files(tmp_path / "b")


def test_reading_and_writing_again_changes_no_byte(
    tmp_path: Path, selection: CaseSelection
) -> None:
    write_selection(tmp_path / "a", selection)
    write_selection(tmp_path / "b", read_selection(tmp_path / "a"))
    assert files(tmp_path / "a") == files(tmp_path / "b")


def test_the_table_has_one_row_per_case_and_the_numbers_of_the_selection(
    selection: CaseSelection,
) -> None:
    text = selection_csv(selection)
    assert text.count("\r\n") == 52  # RFC 4180 line ends
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [int(row["rank"]) for row in rows] == list(range(1, 52))
    assert sum(row["suggested"] == "yes" for row in rows) == 11
    for row, case in zip(rows, selection.cases, strict=True):
        assert row["case"] == case.case_id
        assert float(row["modality difference"]) == pytest.approx(
            case.modality_difference, abs=5e-5
        )
        assert row["reason"] == case.reason
    lacking = next(row for row in rows if row["case"] == "case-005")
    assert lacking["PMI CT-PET (nats)"]
    assert lacking["PMI PET-T1 (nats)"] == ""
    assert lacking["flags"] == "incomplete: T1 is missing."


def test_texts_with_commas_quotes_line_breaks_and_other_scripts_survive(
    tmp_path: Path, selection: CaseSelection
) -> None:
    odd = replace(
        selection.cases[0],
        case_id='患者 "1", Größe',
        reason="first line\nsecond, line",
        flags=(Flag("incomplete", "fehlt: T1; ž"),),
    )
    written = replace(selection, cases=(odd, *selection.cases[1:]))
    write_selection(tmp_path, written)
    assert read_selection(tmp_path).cases[0].case_id == odd.case_id
    raw = (tmp_path / "selection.csv").read_bytes().decode("utf-8")
    row = next(csv.DictReader(io.StringIO(raw, newline="")))
    assert row["case"] == odd.case_id
    assert row["reason"] == odd.reason


def test_numbers_are_rounded_and_never_negative_zero(selection: CaseSelection) -> None:
    assert rounded_numbers({"a": [0.12345678, -1e-9, 3], "b": (True, None)}) == {
        "a": [0.123457, 0.0, 3],
        "b": [True, None],
    }
    assert str(rounded_numbers(-1e-9)) == "0.0"
    tiny = replace(selection.cases[0], modality_difference=-1e-7)
    text = selection_csv(replace(selection, cases=(tiny, *selection.cases[1:])))
    assert next(csv.DictReader(io.StringIO(text)))["modality difference"] == "0.0000"


def test_a_folder_without_a_run_is_refused_with_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(CohortError, match=r"no .*selection\.json\. Give the folder that"):
        read_selection(tmp_path)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_a_truncated_file_is_refused(
    tmp_path: Path, selection: CaseSelection, share: float
) -> None:
    write_selection(tmp_path, selection)
    path = tmp_path / "selection.json"
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(CohortError, match=r"selection\.json cannot be read: it is truncated"):
        read_selection(tmp_path)


def test_a_binary_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "selection.json").write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(CohortError, match="cannot be read"):
        read_selection(tmp_path)


def test_a_changed_number_is_found_out(tmp_path: Path, selection: CaseSelection) -> None:
    write_selection(tmp_path, selection)
    path = tmp_path / "selection.json"
    document = json.loads(path.read_text())
    document["selection"]["cases"][3]["modality_difference"] += 0.5
    path.write_text(json.dumps(document))
    with pytest.raises(CohortError, match="does not fit its checksum"):
        read_selection(tmp_path)


def test_other_white_space_and_key_order_are_no_change(
    tmp_path: Path, selection: CaseSelection
) -> None:
    write_selection(tmp_path, selection)
    path = tmp_path / "selection.json"
    document = json.loads(path.read_text())
    path.write_text(json.dumps(dict(reversed(document.items()))))
    assert len(read_selection(tmp_path).cases) == 51


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 2}, r"version 1 .* got 2\. Use the version of CrossModal that wrote it"),
        ({"version": None}, "version 1 .* got None"),
        ({"format": "something"}, "'CrossModal selection' .* got 'something'"),
    ],
)
def test_an_unknown_version_or_format_is_refused(
    tmp_path: Path, selection: CaseSelection, change: dict[str, object], message: str
) -> None:
    write_selection(tmp_path, selection)
    path = tmp_path / "selection.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(CohortError, match=message):
        read_selection(tmp_path)


@pytest.mark.parametrize("content", ["[]", "3", '"text"', "{}"])
def test_json_that_is_no_run_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "selection.json").write_text(content)
    with pytest.raises(CohortError, match="Expected a 'CrossModal selection'"):
        read_selection(tmp_path)


def _resigned(tmp_path: Path, change: object) -> None:
    """Change the content and sign it anew, as another program that writes the format would."""
    from MDALSelectorLib import result

    path = tmp_path / "selection.json"
    document = json.loads(path.read_text())
    change(document["selection"])  # type: ignore[operator]
    document["sha256"] = result._digest(document["selection"])
    path.write_text(json.dumps(document))


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content.pop("trust"),
        lambda content: content["trust"].update(level="perfect"),
        lambda content: content["cases"][0].update(suggested="yes"),
        lambda content: content["cases"][0].update(case=7),
        lambda content: content["cases"][0].update(pmi_nats=[1.0]),
        lambda content: content["cases"][0].update(thumbnail="../../etc/passwd.png"),
        lambda content: content["cases"].pop(4),
        lambda content: content["cases"].reverse(),
        lambda content: content["cases"][1].update(case=content["cases"][0]["case"]),
        lambda content: content["budget"].update(n_cases=12),
        lambda content: content["comparison"].update(coverage_radius=[1.0]),
        lambda content: content.update(cases="none"),
    ],
)
def test_a_well_signed_file_with_wrong_content_is_refused(
    tmp_path: Path, selection: CaseSelection, change: object
) -> None:
    write_selection(tmp_path, selection)
    _resigned(tmp_path, change)
    with pytest.raises(CohortError, match="a part is missing or wrong"):
        read_selection(tmp_path)


def test_embeddings_are_read_back_with_their_cases(tmp_path: Path) -> None:
    scores = example_scores()
    matrices = {"fused": scores.embeddings, "CT": scores.embeddings[:, :4]}
    write_embeddings(tmp_path, matrices, case_ids=scores.case_ids)
    case_ids, found = read_embeddings(tmp_path)
    assert case_ids == scores.case_ids
    assert sorted(found) == ["CT", "fused"]
    np.testing.assert_array_equal(found["fused"], scores.embeddings.astype(np.float32))


def test_embeddings_with_another_number_of_rows_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"2 rows, got shapes \{'fused': \(3, 1\)\}"):
        write_embeddings(tmp_path, {"fused": np.zeros((3, 1))}, case_ids=["a", "b"])


def test_damaged_embeddings_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CohortError, match="cannot be read"):
        read_embeddings(tmp_path)
    write_embeddings(tmp_path, {"fused": np.zeros((2, 3))}, case_ids=["a", "b"])
    path = tmp_path / "embeddings.safetensors"
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(CohortError, match="Run the selection again"):
        read_embeddings(tmp_path)


def test_a_folder_that_cannot_be_written_is_explained(
    tmp_path: Path, selection: CaseSelection, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_selection(tmp_path, selection)
    before = files(tmp_path)

    def refuse(*_arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", refuse)
    with pytest.raises(CrossModalError, match="No space left on device"):
        write_selection(tmp_path, selection)
    assert files(tmp_path) == before


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_case_with_values_that_are_not_finite_is_refused(
    selection: CaseSelection, value: float
) -> None:
    with pytest.raises(ValueError, match="finite values for case"):
        replace(selection.cases[0], modality_difference=value)


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({}, "unlabelled"),
        ({"suggested": True}, "suggested"),
        ({"flags": (Flag("check pairing", "."),)}, "check pairing"),
        ({"flags": (Flag("incomplete", "."),)}, "unlabelled"),
        ({"labelled": True, "flags": (Flag("check pairing", "."),)}, "labelled"),
    ],
)
def test_a_case_knows_its_state(changes: dict[str, object], state: str) -> None:
    case = RankedCase(1, "a", "a", False, False, 0.0, {}, {}, (), (), "")
    assert replace(case, **changes).state == state  # type: ignore[arg-type]
