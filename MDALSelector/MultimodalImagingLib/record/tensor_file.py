"""Tensor files of this program: safetensors with a header in JSON, written atomically.

Imports safetensors where it is used, since a panel opens before it is installed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from MultimodalImagingLib.record.atomic_files import write_bytes
from MultimodalImagingLib.record.json_entry import json_value

# One entry: safetensors does not keep the order of several, and the files would differ.
_ENTRY = "crossmodal"
_LONGEST_HEADER = 50_000_000


class TensorFileError(ValueError):
    """The file is absent, damaged, or not written by this program; the message says which."""


def tensor_bytes(tensors: Mapping[str, npt.NDArray[Any]], header: Mapping[str, object]) -> bytes:
    """Return the content of a tensor file.

    Args:
        tensors: The arrays by name.
        header: What `json` takes, NaN too; the same header gives the same bytes.
    """
    from safetensors.numpy import save

    # safetensors writes the memory as it lies; `ascontiguousarray` would give scalars an axis.
    plain = {name: np.asarray(values, order="C") for name, values in tensors.items()}
    return bytes(save(plain, metadata={_ENTRY: json.dumps(header, sort_keys=True)}))


def write_tensors(
    path: Path, tensors: Mapping[str, npt.NDArray[Any]], header: Mapping[str, object]
) -> None:
    """Write a tensor file atomically; its folder is made if needed.

    Raises:
        CrossModalError: If the file cannot be written; an older one is then untouched.
    """
    data = tensor_bytes(tensors, header)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, data)


@contextmanager
def open_tensors(path: Path) -> Iterator[Any]:
    """Open a tensor file to read parts of it.

    Raises:
        TensorFileError: If it, or what the body asks of it, cannot be read.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np") as file:
            yield file
    except (SafetensorError, OSError, KeyError, ValueError, TypeError) as error:
        raise TensorFileError(str(error)) from error


def read_header(path: Path) -> dict[str, Any]:
    """Return the header of a tensor file without its arrays.

    Raises:
        TensorFileError: If it cannot be read.
    """
    with open_tensors(path) as file:
        return _parsed(file.metadata())


def read_tensors(path: Path) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
    """Return the header and all arrays of a tensor file, in the order of their names.

    Raises:
        TensorFileError: If it cannot be read.
    """
    with open_tensors(path) as file:
        return _parsed(file.metadata()), {
            name: file.get_tensor(name) for name in sorted(file.keys())
        }


def header_in(data: bytes) -> dict[str, Any]:
    """Return the header in the content of a tensor file.

    Raises:
        TensorFileError: If there is none.
    """
    length = int.from_bytes(data[:8], "little")
    try:
        if not is_tensor_file(data) or length > _LONGEST_HEADER:
            msg = "it does not begin like a tensor file"
            raise ValueError(msg)
        return _parsed(json_value(data[8 : 8 + length])["__metadata__"])
    except (KeyError, ValueError, TypeError) as error:
        raise TensorFileError(str(error)) from error


def is_tensor_file(data: bytes) -> bool:
    """Tell whether content begins like a file of safetensors; what is in it is checked later."""
    length = int.from_bytes(data[:8], "little")
    return 0 < length <= len(data) - 8 and data[8:9] == b"{"


def _parsed(metadata: Mapping[str, str] | None) -> dict[str, Any]:
    header = json_value((metadata or {})[_ENTRY])
    if not isinstance(header, dict):
        msg = "its header is no JSON object"
        raise TypeError(msg)
    return header
