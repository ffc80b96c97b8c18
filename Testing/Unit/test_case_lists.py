"""Lists of cases for SlicerCART, SlicerCaseIterator and CART: as those programs read them."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from MDALSelectorLib.exchange.case_lists import (
    REMAINING,
    WORKING,
    read_list,
    write_case_iterator,
    write_slicercart,
)
from MDALSelectorLib.exchange.yaml_list import OWN_START
from MultimodalImagingLib.cohorts.case_table import export_table
from MultimodalImagingLib.cohorts.cases import Cohort
from MultimodalImagingLib.cohorts.cohort import find_cohort
from MultimodalImagingLib.errors import UsageError
from MultimodalImagingLib.images.geometry import Grid, Volume
from MultimodalImagingLib.images.volume_io import write_volume
from MultimodalImagingLib.record.cohort_record import CaseState, CohortRecord, open_record

GRID = Grid((6, 6, 6), (2.0, 2.0, 2.0), (0.0, 0.0, 0.0), (1.0, 0, 0, 0, 1.0, 0, 0, 0, 1.0))
CASES = ("p-1", "p-2", "p'3")


@pytest.fixture
def cohort(tmp_path: Path) -> Cohort:
    source = np.random.default_rng(1)
    for case in CASES:
        folder = tmp_path / "cohort" / case
        folder.mkdir(parents=True)
        for modality in ("t1", "flair"):
            array = source.normal(size=GRID.array_shape).astype(np.float32)
            write_volume(folder / f"{case}_{modality}.nii.gz", Volume(array, GRID))
    return find_cohort(tmp_path / "cohort")


@pytest.fixture
def record(cohort: Cohort) -> CohortRecord:
    record = open_record(cohort.root)
    record.change_states({"p-2": CaseState.LABELLED})
    record.labels.mkdir()
    (record.labels / "p-2.seg.nrrd").write_bytes(b"label")
    return record


def rows(file: Path) -> list[dict[str, str]]:
    with file.open(newline="", encoding="utf-8") as opened:
        return list(csv.DictReader(opened))


def test_slicercart_gets_all_files_and_those_that_remain(
    cohort: Cohort, record: CohortRecord, tmp_path: Path
) -> None:
    assert write_slicercart(cohort, record, tmp_path / "out", "T1") == 2
    text = (tmp_path / "out" / WORKING).read_text()
    names = [f"{case}_t1.nii.gz" for case in sorted(CASES)]
    assert text == f"{OWN_START}\nCASES:\n" + "".join(f'- "{name}"\n' for name in names)
    assert read_list(tmp_path / "out" / WORKING, cohort).cases == tuple(sorted(CASES))
    assert set(read_list(tmp_path / "out" / REMAINING, cohort).cases) == {"p-1", "p'3"}


@pytest.mark.parametrize(
    "text",
    [
        "CASES:\n- p-1_t1.nii.gz\n- 'p''3_flair.nii.gz'\n",
        '---\nCASES:\r\n  - "p-1_t1.nii.gz"\r\n  - p\'3_t1.nii.gz\r\n',
    ],
)
def test_lists_of_slicercart_are_read_as_it_writes_them(
    cohort: Cohort, tmp_path: Path, text: str
) -> None:
    (tmp_path / "list.yaml").write_text(text, newline="")
    assert read_list(tmp_path / "list.yaml", cohort).cases == ("p-1", "p'3")
    (tmp_path / "list.yaml").write_text("CASES: []\n")
    assert read_list(tmp_path / "list.yaml", cohort).cases == ()


def test_slicercart_cannot_tell_files_of_one_name_apart(
    cohort: Cohort, record: CohortRecord, tmp_path: Path
) -> None:
    for case in cohort.cases:
        path = case.images["T1"].path
        path.rename(path.with_name("t1.nii.gz"))
    with pytest.raises(UsageError, match="knows cases by the names of their files"):
        write_slicercart(find_cohort(cohort.root), record, tmp_path / "out", "T1")
    assert not (tmp_path / "out").exists()


def test_case_iterator_finds_its_own_columns(
    cohort: Cohort, record: CohortRecord, tmp_path: Path
) -> None:
    write_case_iterator(cohort, record, tmp_path / "list.csv", "T1")
    found = rows(tmp_path / "list.csv")
    assert list(found[0]) == ["patient", "path", "image", "mask", "state", "FLAIR"]
    assert [row["patient"] for row in found] == sorted(CASES)
    by_case = {row["patient"]: row for row in found}
    assert by_case["p-2"]["mask"] == str((record.labels / "p-2.seg.nrrd").absolute())
    assert by_case["p-1"]["mask"] == ""
    assert Path(by_case["p-1"]["path"], by_case["p-1"]["image"]).is_file()
    listed = read_list(tmp_path / "list.csv", cohort)
    assert (listed.cases, listed.n_masks) == (tuple(sorted(CASES)), 1)
    write_case_iterator(cohort, record, tmp_path / "list.csv", "FLAIR")  # its own is replaced


def test_a_table_of_cart_comes_back(cohort: Cohort, record: CohortRecord, tmp_path: Path) -> None:
    export_table(cohort, record, tmp_path / "cart.csv", suggested=("p'3",))
    listed = read_list(tmp_path / "cart.csv", cohort)
    assert listed.cases == ("p'3", "p-1", "p-2")


@pytest.mark.parametrize(
    "text",
    [
        "uid,volume_t1\nsub-7,cohort/p-1/p-1_t1.nii.gz\nnobody,x.nii.gz\n",
        "path,image\n,C:\\data\\p-1_t1.nii.gz\n,C:\\data\\x.nii.gz\n",
        "ID,image\np-1,x.nii.gz\nx.nii.gz,\n",
    ],
)
def test_cases_of_other_tables_are_known_by_name_or_file(
    cohort: Cohort, tmp_path: Path, text: str
) -> None:
    (tmp_path / "list.csv").write_text(text, encoding="utf-8-sig")
    listed = read_list(tmp_path / "list.csv", cohort)
    assert listed.cases == ("p-1",)
    assert len(listed.unknown) == 1


@pytest.mark.parametrize(
    ("name", "text"),
    [
        *(("x.yaml", "FILES:\n- a\n"), ("x.yaml", ""), ("x.yaml", "CASES:\n  a: 1\n")),
        *(("x.csv", "uid\nnobody\n"), ("x.csv", "uid\n\x00\n")),
    ],
)
def test_what_is_no_list_of_this_cohort_is_refused(
    cohort: Cohort, tmp_path: Path, name: str, text: str
) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(UsageError, match="Give"):
        read_list(tmp_path / name, cohort)


def test_what_slicercart_has_noted_is_not_replaced(
    cohort: Cohort, record: CohortRecord, tmp_path: Path
) -> None:
    write_slicercart(cohort, record, tmp_path, "T1")
    write_slicercart(cohort, record, tmp_path, "T1")  # its own lists are
    (tmp_path / REMAINING).write_text("CASES:\n- p-1_t1.nii.gz\n")
    before = (tmp_path / WORKING).read_bytes()
    with pytest.raises(UsageError, match=f"{REMAINING} was written by SlicerCART"):
        write_slicercart(cohort, record, tmp_path, "FLAIR")
    assert (tmp_path / WORKING).read_bytes() == before


def test_foreign_files_are_not_replaced(
    cohort: Cohort, record: CohortRecord, tmp_path: Path
) -> None:
    (tmp_path / WORKING).write_text("mine")
    (tmp_path / "list.csv").write_text("mine")
    with pytest.raises(UsageError, match="--slicercart"):
        write_slicercart(cohort, record, tmp_path, "T1")
    with pytest.raises(UsageError, match="--case-iterator"):
        write_case_iterator(cohort, record, tmp_path / "list.csv", "T1")
    assert (tmp_path / WORKING).read_text() == (tmp_path / "list.csv").read_text() == "mine"


def test_names_in_any_letters_are_read_as_pyyaml_writes_them(
    cohort: Cohort, tmp_path: Path
) -> None:
    """`yaml.dump` escapes what is not ASCII, and folds what is longer than 80 characters."""
    long = "word " * 20
    text = (
        "CASES:\n- p-1_t1.nii.gz\n"
        '- "\\xC4rzte\\_\\u0141\\U0001F600.nii.gz"\n'
        '- "\\xC4rzte word word word word word word word word word word word word word\\\n'
        '  \\ word word word word word word word x.nii.gz"\n'
        "- word word word word word word word word word word word word word word word word\n"
        "  word word word word x.nii.gz\n"
    )
    (tmp_path / "list.yaml").write_text(text)
    found = read_list(tmp_path / "list.yaml", cohort)
    assert found.cases == ("p-1",)
    assert found.unknown == (
        "Ärzte\xa0Ł😀.nii.gz",
        f"Ärzte {long}x.nii.gz",
        f"{long}x.nii.gz",
    )


def test_a_table_of_a_spreadsheet_is_read(cohort: Cohort, tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("uid;note\np-1;a, b\n;\np-1;\n")
    found = read_list(tmp_path / "list.csv", cohort)
    assert (found.cases, found.repeated) == (("p-1",), ("p-1",))
    assert found.unknown == ("a row without a name",)


def test_files_are_known_in_both_forms_of_a_letter(cohort: Cohort, tmp_path: Path) -> None:
    path = cohort.cases[0].images["T1"].path
    path.rename(path.with_name("A\u0308_t1.nii.gz"))
    (tmp_path / "list.yaml").write_text("CASES:\n- \xc4_t1.nii.gz\n")
    assert len(read_list(tmp_path / "list.yaml", find_cohort(cohort.root)).cases) == 1


def test_a_users_own_table_of_case_iterator_is_not_replaced(
    cohort: Cohort, record: CohortRecord, tmp_path: Path
) -> None:
    file = tmp_path / "list.csv"
    file.write_text("patient,path,image,mask\np-1,,mine.nii.gz,\n")
    with pytest.raises(UsageError, match="--case-iterator"):
        write_case_iterator(cohort, record, file, "T1")
    assert "mine" in file.read_text()
