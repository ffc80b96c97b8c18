"""The labels of a cohort are kept in its record, and read again or refused."""

from __future__ import annotations

import pytest

from MultimodalImagingLib.errors import CohortError, UsageError
from MultimodalImagingLib.record.cohort_record import CohortRecord
from MultimodalImagingLib.record.label_set_file import (
    FILE_NAME,
    LabelSet,
    names_from_text,
    read_label_set,
    write_label_set,
)


@pytest.mark.parametrize("labels", [LabelSet("brats"), LabelSet("", ("tumor", "Ödem"))])
def test_what_is_kept_is_read_again(tmp_path, labels):
    record = CohortRecord(tmp_path)
    assert read_label_set(record) is None
    write_label_set(record, labels)
    assert read_label_set(record) == labels


@pytest.mark.parametrize("text", ["", "[]", '{"task": 3}', '{"tusk": "brats"}'])
def test_a_file_of_something_else_is_refused(tmp_path, text):
    (tmp_path / FILE_NAME).write_text(text)
    with pytest.raises(CohortError, match="Choose the labels again"):
        read_label_set(CohortRecord(tmp_path))


def test_names_have_commas_between_them():
    assert names_from_text(" tumor,  necrotic  core ,,") == ("tumor", "necrotic core")


@pytest.mark.parametrize(("text", "says"), [("a, A", "twice"), ("x" * 61, "at most 60")])
def test_names_that_cannot_be_told_apart_are_refused(text, says):
    with pytest.raises(UsageError, match=says):
        names_from_text(text)
