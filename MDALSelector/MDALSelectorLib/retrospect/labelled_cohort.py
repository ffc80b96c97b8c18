"""The labeled cases of a cohort, as a retrospective needs them: target masks, samples, features."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from MDALSelectorLib.estimation.local_features import N_FEATURES
from MDALSelectorLib.estimation.local_samples import case_features, seen_body
from MDALSelectorLib.retrospect.config import MIN_CASES
from MDALSelectorLib.retrospect.linear_learner import Samples
from MultimodalImagingLib.cohorts.cases import Case
from MultimodalImagingLib.errors import CohortError, UsageError
from MultimodalImagingLib.images.arrays import Float32Array, MaskArray
from MultimodalImagingLib.images.geometry import Volume, resample
from MultimodalImagingLib.images.label_map import read_label_map
from MultimodalImagingLib.jobs.progress import Reporter
from MultimodalImagingLib.preparation.prepared_case import PreparedCase
from MultimodalImagingLib.preparation.preprocessing import PreparedCohort
from MultimodalImagingLib.record.checksums import array_checksum

N_TARGET_SAMPLES = 400
N_OTHER_SAMPLES = 800
# A label that loses more than this outside the region that all modalities see is told.
LARGEST_LOSS = 0.05
FEATURE_MEMORY_BYTES = 1 << 30


@dataclass(frozen=True, eq=False)
class LabelledCase:
    """One labeled case.

    Attributes:
        row: Its index in the prepared cohort.
        case_id: Its name.
        patient_id: Its patient.
        is_target: Which voxels of the body belong to the target, `(n_body_voxels,)`.
        n_target: Voxels of the target, also outside the body.
        samples: Labeled samples of its body.
        checksum: Of the target on the working grid.
    """

    row: int
    case_id: str
    patient_id: str
    is_target: MaskArray
    n_target: int
    samples: Samples
    checksum: str


@dataclass(eq=False)
class LabelledCohort:
    """All labeled cases, sorted by name; features of whole bodies are made when asked for.

    Attributes:
        prepared: The prepared cohort.
        cases: The labeled cases that can be used.
        remarks: What was left out and why; full sentences.
    """

    prepared: PreparedCohort
    cases: tuple[LabelledCase, ...]
    remarks: tuple[str, ...]
    _kept: dict[int, Float32Array] = field(default_factory=dict, repr=False)

    @property
    def case_ids(self) -> tuple[str, ...]:
        """Name of every case."""
        return tuple(case.case_id for case in self.cases)

    @property
    def patient_ids(self) -> tuple[str, ...]:
        """Patient of every case."""
        return tuple(case.patient_id for case in self.cases)

    def features(self, index: int) -> Float32Array:
        """Return the local features of all voxels of a case's body, `(n_voxels, n_local)`."""
        if index not in self._kept:
            found = body_features(self.prepared[self.cases[index].row], self.prepared.spec.kinds)
            self._forget(found.nbytes)
            self._kept[index] = found
        return self._kept[index]

    def _forget(self, n_bytes: int) -> None:
        """Let the oldest features go until new ones fit into the memory that is meant for them."""
        while self._kept and self._n_bytes + n_bytes > FEATURE_MEMORY_BYTES:
            del self._kept[next(iter(self._kept))]

    @property
    def _n_bytes(self) -> int:
        return sum(features.nbytes for features in self._kept.values())


def read_labelled_cohort(
    prepared: PreparedCohort, *, values: Sequence[int], seed: int, reporter: Reporter
) -> LabelledCohort:
    """Read the label maps of all prepared cases and draw samples.

    Args:
        prepared: The prepared cohort; every case has a label.
        values: Label values that are the target; empty for all but 0.
        seed: Source of the samples.
        reporter: Notified of every case and of what is left out.

    Raises:
        UsageError: If fewer than 10 cases can be used, or all label maps are the same.
    """
    reporter.stage("Read labels", len(prepared))
    found: list[LabelledCase] = []
    remarks: list[str] = []
    for row, case in enumerate(prepared.cases):
        try:
            labelled, remark = _labelled_case(prepared, row, values=values, seed=seed)
            remarks += [remark] if remark else []
            found.append(labelled)
        except CohortError as error:
            remarks.append(f"Case {case.case_id} is left out: {error}")
        reporter.advance()
    for text in remarks:
        reporter.warning(text)
    _check_enough(found, remarks)
    _check_different(found)
    ordered = tuple(sorted(found, key=lambda case: case.case_id))
    return LabelledCohort(prepared, ordered, tuple(remarks))


def _labelled_case(
    prepared: PreparedCohort, row: int, *, values: Sequence[int], seed: int
) -> tuple[LabelledCase, str | None]:
    case = prepared.cases[row]
    arrays = prepared[row]
    target, share_lost = _target(case, arrays, values)
    is_target = target[arrays.body]
    if not is_target.any():
        msg = (
            f"expected {_named(values)} within the body, found no such voxel of its label map."
            " Correct the label, or leave the case out on purpose (--leave-out)."
        )
        raise CohortError(msg)
    local = body_features(arrays, prepared.spec.kinds)
    labelled = LabelledCase(
        row=row,
        case_id=case.case_id,
        patient_id=case.patient_id,
        is_target=is_target,
        n_target=int(target.sum()),
        samples=draw_samples(local, is_target, seed=(seed, zlib.crc32(case.case_id.encode()))),
        checksum=array_checksum([(str(target.shape), np.packbits(target))]),
    )
    lost = (
        f"Case {case.case_id}: {share_lost:.0%} of the label lies outside the region that all"
        " modalities see and does not count."
    )
    return labelled, lost if share_lost > LARGEST_LOSS else None


def body_features(case: PreparedCase, kinds: Mapping[str, str]) -> Float32Array:
    """Describe every voxel of the body by what its surroundings show in each modality.

    Args:
        case: A prepared case.
        kinds: Modality to kind, in the order of the cohort.

    Returns:
        `(n_body_voxels, n_modalities * N_FEATURES)`, voxels in `(K, J, I)` order; NaN where a
        modality does not show the body.
    """
    found = np.full((int(case.body.sum()), len(kinds), N_FEATURES), np.nan, dtype=np.float32)
    for number, (modality, kind) in enumerate(kinds.items()):
        if modality in case.images and (seen := seen_body(case, modality)).any():
            values = case_features(case, modality, kind=kind, blurs={})
            found[seen[case.body], number] = values[:, seen].T
    return found.reshape(len(found), -1)


def draw_samples(local: Float32Array, is_target: MaskArray, *, seed: tuple[int, int]) -> Samples:
    """Draw voxels of the target and others; weights give both their share of the body back.

    Args:
        local: Local features of all voxels of the body, `(n_voxels, n_local)`.
        is_target: Which of them belong to the target.
        seed: Source of the draw; depends on the case alone, not on its place in the cohort.
    """
    generator = np.random.default_rng(seed)
    rows: list[npt.NDArray[np.intp]] = []
    weights: list[Float32Array] = []
    for members, most in ((is_target, N_TARGET_SAMPLES), (~is_target, N_OTHER_SAMPLES)):
        drawn = generator.permutation(np.flatnonzero(members))[:most]
        rows.append(drawn)
        share = members.mean() / max(len(drawn), 1)
        weights.append(np.full(len(drawn), share, dtype=np.float32))
    chosen = np.concatenate(rows)
    return Samples(local[chosen], is_target[chosen], np.concatenate(weights))


def _target(case: Case, arrays: PreparedCase, values: Sequence[int]) -> tuple[MaskArray, float]:
    """Return the target on the working grid, and the share of it that lies outside."""
    if case.label is None:
        msg = "expected a label map, found none."
        raise CohortError(msg)
    volume = read_label_map(case.label).volume
    numbers = np.asarray(volume.array)
    mask = np.isin(numbers, list(values)) if values else numbers != 0
    target = np.asarray(
        resample(Volume(mask, volume.grid), arrays.grid, interpolation="nearest").array, dtype=bool
    )
    whole = float(mask.sum()) * float(np.prod(volume.grid.spacing_mm))
    inside = float(target.sum()) * float(np.prod(arrays.grid.spacing_mm))
    return target, max(0.0, 1.0 - inside / whole) if whole else 0.0


def _named(values: Sequence[int]) -> str:
    return f"the label value {' or '.join(map(str, values))}" if values else "a labeled voxel"


def _check_enough(found: Sequence[LabelledCase], remarks: Sequence[str]) -> None:
    if len(found) >= MIN_CASES:
        return
    first = f" {remarks[0]}" if remarks else ""
    msg = (
        f"Expected at least {MIN_CASES} cases with a usable label, found {len(found)}. Label more"
        f" cases, or give their label maps with --labels.{first}"
    )
    raise UsageError(msg)


def _check_different(found: Sequence[LabelledCase]) -> None:
    if len({case.checksum for case in found}) == 1:
        msg = (
            f"Expected a label map of its own for every case, found the same one in all"
            f" {len(found)} cases. Give the right label maps with --labels."
        )
        raise UsageError(msg)
