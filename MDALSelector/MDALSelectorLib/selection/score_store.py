"""Scores of a cohort on disk, so that another budget or strategy need not estimate again.

A file is used only if its key agrees: what the scores depend on (files, settings, versions).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from MDALSelectorLib.case_flags import Flag
from MDALSelectorLib.selection.cohort_scores import CohortScores
from MDALSelectorLib.selection.selection_json import diagnostics_from_content
from MultimodalImagingLib.record.atomic_files import write_bytes
from MultimodalImagingLib.record.json_text import json_value

FORMAT_VERSION = 1
_ENTRY = "crossmodal"
_ARRAYS = ("pmi_nats", "z", "modality_difference", "embeddings", "voxel_nmi")


def scores_key(parts: object) -> str:
    """Hash what scores depend on; JSON-able."""
    text = json.dumps([FORMAT_VERSION, parts], sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def save_scores(folder: Path, key: str, scores: CohortScores) -> None:
    """Keep the estimated part of scores under a key; labels and the user's score are not kept.

    Raises:
        CrossModalError: If the file cannot be written.
    """
    from safetensors.numpy import save

    tensors = {
        name: np.ascontiguousarray(getattr(scores, name), dtype=np.float64)
        for name in _ARRAYS
        if getattr(scores, name) is not None
    }
    header = {
        "cohort": scores.cohort,
        "modalities": scores.modalities,
        "case_ids": scores.case_ids,
        "patient_ids": scores.patient_ids,
        "diagnostics": asdict(scores.diagnostics),
        "flags": {case: [asdict(flag) for flag in flags] for case, flags in scores.flags.items()},
        "checksum": _checksum(tensors),
    }
    folder.mkdir(parents=True, exist_ok=True)
    metadata = {_ENTRY: json.dumps(header, sort_keys=True, allow_nan=False)}
    write_bytes(_path(folder, key), save(tensors, metadata=metadata))


def load_scores(folder: Path, key: str) -> CohortScores | None:
    """Return the scores of that key, or `None` if there are none or the file is damaged."""
    from safetensors import SafetensorError, safe_open

    path = _path(folder, key)
    if not path.is_file():
        return None
    try:
        with safe_open(path, framework="np") as file:
            header = json_value((file.metadata() or {})[_ENTRY])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return _scores(header, tensors)
    except (SafetensorError, OSError, KeyError, ValueError, TypeError):
        return None


def _path(folder: Path, key: str) -> Path:
    return folder / f"{key[:32]}.safetensors"


def _scores(header: Mapping[str, Any], tensors: Mapping[str, Any]) -> CohortScores | None:
    if header["checksum"] != _checksum(tensors):
        return None
    flags = {
        case: tuple(Flag(flag["kind"], flag["reason"]) for flag in items)
        for case, items in header["flags"].items()
    }
    return CohortScores(
        cohort=header["cohort"],
        modalities=tuple(header["modalities"]),
        case_ids=tuple(header["case_ids"]),
        patient_ids=tuple(header["patient_ids"]),
        diagnostics=diagnostics_from_content(header["diagnostics"]),
        flags=flags,
        pmi_nats=tensors["pmi_nats"],
        z=tensors["z"],
        modality_difference=tensors["modality_difference"],
        embeddings=tensors["embeddings"],
        voxel_nmi=tensors.get("voxel_nmi"),
    )


def _checksum(tensors: Mapping[str, Any]) -> str:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(tensors[name]).tobytes())
    return digest.hexdigest()
