from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest
import safetensors.torch
import torch

from MultimodalImagingLib.errors import CrossModalError
from MultimodalImagingLib.record.checksums import array_checksum, array_crc, json_checksum
from MultimodalImagingLib.record.tensor_file import (
    TensorFileError,
    header_in,
    is_tensor_file,
    open_tensors,
    read_header,
    read_tensors,
    tensor_bytes,
    write_tensors,
)

TENSORS = {
    "b": np.arange(24, dtype=np.float32).reshape(2, 3, 4).transpose(2, 0, 1),
    "a": np.float64(3.5),
    "c": np.array([1, 2], dtype=np.int64),
}
HEADER = {"step": 3, "names": ["b", "a"], "score": float("nan")}


@pytest.fixture
def path(tmp_path):
    target = tmp_path / "new" / "file.safetensors"
    write_tensors(target, TENSORS, HEADER)
    return target


def test_what_is_written_is_read_back_with_shape_and_type(path):
    header, tensors = read_tensors(path)
    assert list(tensors) == ["a", "b", "c"]
    for name, values in tensors.items():
        assert values.dtype == np.asarray(TENSORS[name]).dtype
        assert np.array_equal(values, TENSORS[name])
        assert np.shape(values) == np.shape(TENSORS[name])
    assert header["names"] == HEADER["names"]
    assert np.isnan(header["score"])


def test_bytes_are_those_that_torch_would_write():
    tensors = {name: torch.from_numpy(np.array(values)) for name, values in TENSORS.items()}
    plain = {name: values.contiguous() for name, values in tensors.items()}
    metadata = {"crossmodal": json.dumps({"a": 1, "b": 2})}
    assert tensor_bytes(TENSORS, {"b": 2, "a": 1}) == safetensors.torch.save(plain, metadata)


def test_header_is_read_from_file_and_from_content_alike(path):
    assert read_header(path)["step"] == 3
    assert header_in(path.read_bytes())["step"] == 3


def test_part_of_a_tensor_is_read(path):
    with open_tensors(path) as file:
        part = file.get_slice("b")[1:3]
    assert np.array_equal(part, TENSORS["b"][1:3])


@pytest.mark.parametrize("n_bytes", [0, 4, 8, 40, 200])
def test_truncated_file_is_refused(path, n_bytes):
    data = path.read_bytes()[:n_bytes]
    path.write_bytes(data)
    with pytest.raises(TensorFileError):
        read_tensors(path)
    if n_bytes < 200:  # the header of 200 bytes may be whole
        assert not is_tensor_file(data)
        with pytest.raises(TensorFileError):
            header_in(data)


@pytest.mark.parametrize(
    "metadata", [None, {"crossmodal": "{"}, {"crossmodal": "[]"}, {"other": ""}]
)
def test_file_of_another_program_is_refused(path, metadata):
    data = safetensors.torch.save({"a": torch.zeros(2)}, metadata)
    path.write_bytes(data)
    assert is_tensor_file(data)
    for read in (read_header, read_tensors):
        with pytest.raises(TensorFileError):
            read(path)
    with pytest.raises(TensorFileError):
        header_in(data)


def test_absent_file_and_absent_tensor_are_refused(path, tmp_path):
    with pytest.raises(TensorFileError):
        read_header(tmp_path / "none.safetensors")
    with pytest.raises(TensorFileError), open_tensors(path) as file:
        file.get_tensor("none")


def test_file_that_cannot_be_replaced_stays(tmp_path):
    (tmp_path / "file").mkdir()
    with pytest.raises(CrossModalError):
        write_tensors(tmp_path / "file", TENSORS, HEADER)
    assert (tmp_path / "file").is_dir()


def test_checksums_depend_on_names_values_and_order():
    parts = [("a", np.zeros(2)), ("b", np.ones(2))]
    others = [
        [("a", np.zeros(2)), ("c", np.ones(2))],
        [("a", np.zeros(2)), ("b", np.array([1.0, 2.0]))],
        parts[::-1],
        parts[:1],
    ]
    assert len({array_checksum(part) for part in [parts, *others]}) == 5
    assert len({array_crc(part) for part in [parts, *others]}) == 5


def test_checksum_of_content_ignores_the_order_of_keys():
    assert json_checksum({"b": 1, "a": [2]}) == json_checksum({"a": [2], "b": 1})
    expected = hashlib.sha256(b'{"a": [2], "b": 1}').hexdigest()
    assert json_checksum({"b": 1, "a": [2]}) == expected
    with pytest.raises(ValueError, match="JSON"):
        json_checksum(float("nan"))
