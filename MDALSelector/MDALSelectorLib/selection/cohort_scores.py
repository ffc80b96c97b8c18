"""The scores of a cohort, and how they are kept so that a run need not estimate them again.

A file is used only if its key agrees: what the scores depend on (files, settings, versions).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from MDALSelectorLib.case_flags import Flag
from MDALSelectorLib.selection.diagnostics import Diagnostics
from MultimodalImagingLib.errors import CrossModalError
from MultimodalImagingLib.record.checksums import array_checksum, json_checksum
from MultimodalImagingLib.record.json_entry import config_from_json
from MultimodalImagingLib.record.tensor_file import read_tensors, write_tensors

FloatArray = npt.NDArray[np.float64]

FORMAT_VERSION = 1
_ARRAYS = ("pmi_nats", "z", "modality_difference", "embeddings", "voxel_nmi")


@dataclass(frozen=True)
class CohortScores:
    """What the estimators found out about a cohort; row i of every array is case i.

    Attributes:
        cohort: Name of the cohort.
        modalities: In the order of the cohort.
        case_ids: Distinct names, any order.
        patient_ids: Patient of every case.
        pmi_nats: PMI per case and pair of `diagnostics.pairs`, shape `(n_cases, n_pairs)`, NaN
            where it could not be scored.
        z: The same against median and spread of the cohort, same shape.
        modality_difference: Minus the mean of `z` over the used pairs, shape `(n_cases,)`, NaN
            where no pair could be scored.
        embeddings: Fused embedding, shape `(n_cases, n_features)`.
        diagnostics: What speaks for and against the scores.
        flags: Flags per case name.
        labelled: Names of the cases that have a label.
        accepted: Names of the cases whose pairing the user has confirmed.
        voxel_nmi: Mean normalized mutual information of voxels, shape `(n_cases,)`.
        score: The user's own score, shape `(n_cases,)`.
    """

    cohort: str
    modalities: tuple[str, ...]
    case_ids: tuple[str, ...]
    patient_ids: tuple[str, ...]
    pmi_nats: FloatArray
    z: FloatArray
    modality_difference: FloatArray
    embeddings: FloatArray
    diagnostics: Diagnostics
    flags: Mapping[str, tuple[Flag, ...]] = field(default_factory=dict)
    labelled: frozenset[str] = frozenset()
    accepted: frozenset[str] = frozenset()
    voxel_nmi: FloatArray | None = None
    score: FloatArray | None = None

    def __post_init__(self) -> None:
        """Refuse names of cases that do not exist and arrays of another shape."""
        shape = (len(self.case_ids), len(self.diagnostics.pairs))
        if self.pmi_nats.shape != shape or self.z.shape != shape:
            msg = f"Expected PMI and z of shape {shape}, got {self.pmi_nats.shape}, {self.z.shape}."
            raise ValueError(msg)
        unknown = ({*self.flags} | self.labelled | self.accepted) - {*self.case_ids}
        if unknown:
            msg = f"Expected names of cases of the cohort, got {', '.join(sorted(unknown))}."
            raise ValueError(msg)


def scores_key(parts: object) -> str:
    """Hash what scores depend on; JSON-able."""
    return json_checksum([FORMAT_VERSION, parts])


def save_scores(folder: Path, key: str, scores: CohortScores) -> None:
    """Keep the estimated part of scores under a key; labels and the user's score are not kept.

    Raises:
        CrossModalError: If the file cannot be written.
    """
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
        "checksum": array_checksum(sorted(tensors.items())),
    }
    write_tensors(_path(folder, key), tensors, header)


def load_scores(folder: Path, key: str) -> CohortScores | None:
    """Return the scores of that key, or `None` if there are none or the file is damaged."""
    path = _path(folder, key)
    if not path.is_file():
        return None
    try:
        return _scores(*read_tensors(path))
    except (CrossModalError, KeyError, ValueError, TypeError):
        return None


def _path(folder: Path, key: str) -> Path:
    return folder / f"{key[:32]}.safetensors"


def _scores(header: Mapping[str, Any], tensors: Mapping[str, Any]) -> CohortScores | None:
    if header["checksum"] != array_checksum(sorted(tensors.items())):
        return None
    flags = {
        case: tuple(config_from_json(Flag, flag, where="a flag") for flag in items)
        for case, items in header["flags"].items()
    }
    return CohortScores(
        cohort=header["cohort"],
        modalities=tuple(header["modalities"]),
        case_ids=tuple(header["case_ids"]),
        patient_ids=tuple(header["patient_ids"]),
        diagnostics=config_from_json(Diagnostics, header["diagnostics"], where="the diagnostics"),
        flags=flags,
        pmi_nats=tensors["pmi_nats"],
        z=tensors["z"],
        modality_difference=tensors["modality_difference"],
        embeddings=tensors["embeddings"],
        voxel_nmi=tensors.get("voxel_nmi"),
    )
