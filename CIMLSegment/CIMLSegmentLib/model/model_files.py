"""The two files of a model on disk: how they are written, checked and read."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from CIMLSegmentLib.model.model_description import (
    DESCRIPTION_NAME,
    WEIGHTS_NAME,
    WEIGHTS_SHA256,
    ModelDescription,
    description_from_json,
    description_to_json,
)
from CIMLSegmentLib.model.shipped_models import shipped_models
from MultimodalImagingLib.errors import CrossModalError, ModelError
from MultimodalImagingLib.record.atomic_files import write_bytes, write_json
from MultimodalImagingLib.record.checksums import array_checksum, bytes_checksum, json_checksum
from MultimodalImagingLib.record.json_entry import JsonEntry, json_keys, parse_json
from MultimodalImagingLib.record.ownership import check_own_files
from MultimodalImagingLib.record.tensor_file import TensorFileError, header_in, tensor_bytes

LOGGER = logging.getLogger(__name__)

_CHECKSUM = WEIGHTS_SHA256
_TENSORS = "tensors_sha256"
_INNER = "description_sha256"
_CHECKSUMS = (_CHECKSUM, _TENSORS, _INNER)
_EXECUTABLE = (".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".bin", ".joblib")


def write_model_files(
    folder: Path, weights: Mapping[str, Tensor], description: ModelDescription
) -> None:
    """Write weights and description, each atomically, the weights first.

    Raises:
        UsageError: If there is a `model.json` that is no description of a model.
        CrossModalError: If the folder cannot be written.
    """
    content = description_to_json(description)
    inner = {**content, _TENSORS: tensor_checksum(weights)}
    arrays = {name: values.detach().cpu().numpy() for name, values in weights.items()}
    data = tensor_bytes(arrays, {**inner, _INNER: json_checksum(inner)})
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        msg = f"The model folder {folder} cannot be made: {error.strerror}. Choose another one."
        raise CrossModalError(msg) from error
    _retire_description(folder, content)
    write_bytes(folder / WEIGHTS_NAME, data)
    write_json(folder / DESCRIPTION_NAME, {**content, _CHECKSUM: bytes_checksum(data)})


def is_description(data: bytes) -> bool:
    """Tell whether the content of a file is the description of a model."""
    return {"task", "network", _CHECKSUM} <= json_keys(data)


class ModelFiles(NamedTuple):
    """What the two files of a model hold.

    Attributes:
        weights: The weights by name.
        description: What the model is.
        sha256: Checksum of the file of the weights.
    """

    weights: dict[str, Tensor]
    description: ModelDescription
    sha256: str


def read_model_files(folder: Path) -> ModelFiles:
    """Read and check the two files.

    The description first: if a training replaces both meanwhile, the weights are the newer ones.

    Raises:
        ModelError: If they are not a model that this version can trust and use.
    """
    _refuse_executables(folder)
    content = _outer_content(folder)
    data = _bytes(folder / WEIGHTS_NAME)
    checksum = bytes_checksum(data)
    if content is None or content.get(_CHECKSUM) != checksum:
        content = _newer_content(folder, data, content)
    kept = {name: value for name, value in content.items() if name not in _CHECKSUMS}
    description = description_from_json(kept, where=str(folder / DESCRIPTION_NAME))
    return ModelFiles(_tensors(folder, data), description, checksum)


def tensor_checksum(tensors: Mapping[str, Tensor]) -> str:
    """Return a SHA-256 over names, types, shapes and values, in the order of the names."""
    return array_checksum(
        (
            f"{name} {values.dtype} {tuple(values.shape)}\n",
            values.detach().cpu().contiguous().flatten().view(torch.uint8).numpy(),
        )
        for name, values in sorted(tensors.items())
    )


def _refuse_executables(folder: Path) -> None:
    if not folder.is_dir():
        msg = (
            f"Expected a model folder, but {folder} is not a folder. Check the path, or give the"
            f" name of a model that comes with CrossModal: {', '.join(shipped_models())}."
        )
        raise ModelError(msg)
    found = sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.suffix.lower() in _EXECUTABLE
    )
    if found:
        msg = (
            f"The model folder {folder} holds {', '.join(found)}. Files of this kind can execute"
            " code when they are loaded, and no model of CrossModal needs them. Nothing was loaded;"
            " remove them if you trust the rest, or get the model from its source again."
        )
        raise ModelError(msg)


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        msg = (
            f"Expected the weights of a model in {path}, but the file cannot be read:"
            f" {error.strerror}. Choose the folder that training wrote."
        )
        raise ModelError(msg) from error


def _outer_content(folder: Path) -> dict[str, object] | None:
    path = folder / DESCRIPTION_NAME
    if not path.is_file():
        return None
    return JsonEntry(parse_json(_bytes(path), f"The file {path}"), f"the file {path}").data


def _newer_content(
    folder: Path, data: bytes, outer: Mapping[str, object] | None
) -> dict[str, object]:
    """Return the description inside the weights if it is that of an interrupted save."""
    inner = _inner_content(folder, data)
    if outer is not None and not _is_later_state(inner, of=outer):
        raise ModelError(_changed(folder))
    signed = {name: value for name, value in inner.items() if name != _INNER}
    is_intact = inner.get(_INNER) == json_checksum(signed)
    if not is_intact or inner.get(_TENSORS) != tensor_checksum(_tensors(folder, data)):
        raise ModelError(_changed(folder))
    LOGGER.info("The description in %s is older than the weights; theirs is used.", folder)
    return inner


def _is_later_state(content: Mapping[str, object], *, of: Mapping[str, object]) -> bool:
    """Tell whether a description is of the same training as another, and of a later step."""
    first, later = of.get("step"), content.get("step")
    if not isinstance(first, int) or not isinstance(later, int):
        return False
    return content.get("model_id") == of.get("model_id") and later > first


def _retire_description(folder: Path, content: Mapping[str, object]) -> None:
    """Remove a description that the new weights do not continue; weights hold their own.

    Otherwise a kill after the weights were replaced would leave two files that contradict.
    """
    path = folder / DESCRIPTION_NAME
    check_own_files({path: is_description}, option="--output")
    old = _outer_content(folder)
    if old is not None and not _is_later_state(content, of=old):
        path.unlink(missing_ok=True)


def _inner_content(folder: Path, data: bytes) -> dict[str, object]:
    try:
        return header_in(data)
    except TensorFileError as error:
        raise ModelError(_changed(folder)) from error


def _tensors(folder: Path, data: bytes) -> dict[str, Tensor]:
    try:
        return dict(safetensors.torch.load(data))
    except (SafetensorError, ValueError, RuntimeError) as error:
        raise ModelError(_changed(folder)) from error


def _changed(folder: Path) -> str:
    return (
        f"The file {folder / WEIGHTS_NAME} is incomplete or has been changed since it was written:"
        " its checksum is not the one that its description expects. Copy the model again from its"
        " source, or train it again."
    )
