"""The scores of a cohort, and how they are kept so that a run need not estimate them again.

A file is used only if its key agrees: what the scores depend on (files, settings, versions).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from MDALSelectorLib.case_flags import Flag
from MDALSelectorLib.estimation.position_critics import PositionCritics
from MDALSelectorLib.selection.critic_tensors import PREFIX, critic_tensors, critics_of
from MDALSelectorLib.selection.diagnostics import Diagnostics
from MDALSelectorLib.strategies.pool import MODALITY_DIFFERENCE
from MultimodalImagingLib.errors import CrossModalError
from MultimodalImagingLib.images.arrays import Float64Array, VoxelArray
from MultimodalImagingLib.record.checksums import array_checksum, json_checksum
from MultimodalImagingLib.record.json_entry import config_from_json
from MultimodalImagingLib.record.tensor_file import read_tensors, write_tensors

FORMAT_VERSION = 3
# Scores of so many combinations of settings and files are kept; the oldest make room.
MOST_KEPT = 32
_NAME = re.compile(r"[0-9a-f]{32}\.safetensors")


@dataclass(frozen=True)
class CohortScores:
    """What the estimators found out about a cohort; row i of every array is case i.

    Attributes:
        cohort: Name of the cohort.
        modalities: In the order of the cohort.
        case_ids: Names, in order.
        patient_ids: Patient of every case.
        pmi_nats: PMI per case and pair of `diagnostics.pairs`, shape `(n_cases, n_pairs)`, NaN
            where it could not be scored.
        z: The same against median and spread of the cohort, same shape.
        measures: Numbers per case by name, shape `(n_cases,)` each, NaN where there is none: the
            modality difference (minus the mean of `z` over the used pairs); the mean normalized
            mutual information of voxels; the user's own score.
        embeddings: Fused embedding, shape `(n_cases, n_features)`.
        diagnostics: What speaks for and against the scores.
        flags: Flags per case name.
        labelled: Names of the cases that have a label.
        accepted: Names of the cases whose pairing the user has confirmed.
        critics: What maps of local PMI are made with; `None` if it was not estimated.
    """

    cohort: str
    modalities: tuple[str, ...]
    case_ids: tuple[str, ...]
    patient_ids: tuple[str, ...]
    pmi_nats: Float64Array
    z: Float64Array
    measures: Mapping[str, Float64Array]
    embeddings: Float64Array
    diagnostics: Diagnostics
    flags: Mapping[str, tuple[Flag, ...]] = field(default_factory=dict)
    labelled: frozenset[str] = frozenset()
    accepted: frozenset[str] = frozenset()
    critics: PositionCritics | None = None

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

    @property
    def modality_difference(self) -> Float64Array:
        """The modality difference, shape `(n_cases,)`."""
        return self.measures[MODALITY_DIFFERENCE]


def scores_key(parts: object) -> str:
    """Hash what scores depend on; JSON-able."""
    return json_checksum([FORMAT_VERSION, parts])


def save_scores(folder: Path, key: str, scores: CohortScores) -> None:
    """Keep the estimated part of scores under a key; labels and the user's score are not kept.

    Raises:
        CrossModalError: If the file cannot be written.
    """
    arrays = {"pmi_nats": scores.pmi_nats, "z": scores.z, "embeddings": scores.embeddings}
    tensors: dict[str, VoxelArray] = {
        name: np.ascontiguousarray(values, dtype=np.float64)
        for name, values in (*arrays.items(), *scores.measures.items())
    }
    if scores.critics is not None:
        pairs = [pair.pair for pair in scores.diagnostics.pairs]
        tensors |= critic_tensors(scores.critics, scores.modalities, pairs)
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
    _remove_oldest(folder)


def _remove_oldest(folder: Path) -> None:
    kept = [path for path in folder.glob("*.safetensors") if _NAME.fullmatch(path.name)]
    for path in sorted(kept, key=lambda path: path.stat().st_mtime_ns)[:-MOST_KEPT]:
        path.unlink(missing_ok=True)


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
    diagnostics = config_from_json(Diagnostics, header["diagnostics"], where="the diagnostics")
    measures = {name: t for name, t in tensors.items() if not name.startswith(PREFIX)}
    arrays = {name: measures.pop(name) for name in ("pmi_nats", "z", "embeddings")}
    return CohortScores(
        cohort=header["cohort"],
        modalities=tuple(header["modalities"]),
        case_ids=tuple(header["case_ids"]),
        patient_ids=tuple(header["patient_ids"]),
        diagnostics=diagnostics,
        flags=flags,
        **arrays,
        measures=measures,
        critics=critics_of(tensors, header["modalities"], [p.pair for p in diagnostics.pairs]),
    )
