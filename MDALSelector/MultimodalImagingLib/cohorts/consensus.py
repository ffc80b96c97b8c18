"""The consensus of several readers, which counts as the label of a case when it was asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from MultimodalImagingLib.cohorts.cases import Case, Cohort
from MultimodalImagingLib.cohorts.label_maps import write_label_map
from MultimodalImagingLib.cohorts.reader_labels import consensus_place
from MultimodalImagingLib.cohorts.readings import (
    Reading,
    grid_of_case,
    one_per_reader,
    read_masks,
    readings_of,
)
from MultimodalImagingLib.cohorts.saved_labels import new_saved_label, note_saved_label
from MultimodalImagingLib.errors import CohortError
from MultimodalImagingLib.images.arrays import MaskArray
from MultimodalImagingLib.images.geometry import Grid
from MultimodalImagingLib.images.label_names import BEGAN_TAG, Segment
from MultimodalImagingLib.images.segment_masks import SegmentMasks
from MultimodalImagingLib.images.segmentation_file import SegmentEntry, layered, segmentation_file
from MultimodalImagingLib.images.voting import Method, voted_mask
from MultimodalImagingLib.record.atomic_files import explained_writing, write_bytes
from MultimodalImagingLib.record.case_states import CaseStates
from MultimodalImagingLib.record.checksums import file_checksum
from MultimodalImagingLib.record.cohort_record import CohortRecord
from MultimodalImagingLib.record.history import append_event
from MultimodalImagingLib.record.label_set_file import read_label_set
from MultimodalImagingLib.record.readers import CONSENSUS

FEWEST_READERS = 2
_ADVICE = "Labels of readers are unchanged. Free space or get permission to write there."
_COLORS = ((0.90, 0.62, 0.0), (0.34, 0.71, 0.91), (0.0, 0.62, 0.45), (0.80, 0.47, 0.65))


@dataclass(frozen=True)
class Consensus:
    """What was made of the readings of a case.

    Attributes:
        readers: Whose labels went into it.
        remarks: What the user should know; full sentences.
    """

    readers: tuple[str, ...]
    remarks: tuple[str, ...] = ()


def make_consensus(
    case: Case,
    cohort: Cohort,
    record: CohortRecord,
    method: Method,
    *,
    primary: str | None = None,
) -> Consensus:
    """Write the consensus of the readers of a case beside their labels, which stay as they are.

    One label of each reader counts, the blinded one only where there is no other. Segments are the
    same if they have the same name; one that a reader lacks counts as empty.

    Args:
        case: The case.
        cohort: Its cohort.
        record: The cohort's record.
        method: The method.
        primary: The primary modality, on whose grid the consensus lies.

    Raises:
        CohortError: If fewer than two readers labeled the case, a label cannot be read, or an older
            consensus was changed in another program.
        CrossModalError: If the file or the record cannot be written.
    """
    readings = one_per_reader(readings_of(case.case_id, record))
    if len(readings) < FEWEST_READERS:
        alone = "".join(f": {reading.name}" for reading in readings)
        msg = (
            f"Expected labels of at least {FEWEST_READERS} readers of case {case.case_id}, found"
            f" {len(readings)}{alone}. Let another reader label it first."
        )
        raise CohortError(msg)
    remarks: list[str] = []
    grid = grid_of_case(case, cohort, primary)
    found = read_masks(readings, grid, remarks)
    names = segment_names(found)
    nothing = np.zeros(grid.array_shape, dtype=bool)
    masks = {
        title: voted_mask([own_mask(m, title, nothing) for m in found.values()], method)
        for title in names.values()
    }
    missing = [name for name, mask in masks.items() if not mask.any()]
    if missing:
        remarks.append(f"The readers have no voxel in common in: {', '.join(missing)}.")
    if len(readings) == FEWEST_READERS and method == "majority":
        remarks.append("The majority of two readers is what both of them marked.")
    place = consensus_place(case.case_id, record)
    content = _content(masks, grid, found)
    if not (place.is_file() and place.read_bytes() == content):  # else a crash came before its note
        _check_unchanged(case.case_id, place, record)
        with explained_writing(str(place), _ADVICE):
            place.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(place, content)
    saved = new_saved_label(case.case_id, CONSENSUS, place, record)
    who = tuple(reading.name for reading in readings)
    note_saved_label(record, saved, note=f"consensus ({method}) of {', '.join(who)}")
    remarks += write_label_map(case.case_id, record, grid, _numbers(record)).remarks
    return Consensus(who, tuple(remarks))


def withdraw_consensus(
    case: Case, cohort: Cohort, record: CohortRecord, *, primary: str | None = None
) -> bool:
    """Let the label of the reader count again who saved last; return whether there was a consensus.

    Raises:
        CohortError: If the consensus was changed in another program.
        CrossModalError: If the record cannot be written.
    """
    case_id = case.case_id
    place = consensus_place(case_id, record)
    is_noted = CONSENSUS in record.read_states().labels.get(case_id, {})
    if not place.is_file() and not is_noted:
        return False
    _check_unchanged(case_id, place, record)
    with explained_writing(str(place), _ADVICE):
        place.unlink(missing_ok=True)  # first: a consensus that is noted can be withdrawn again
    record.update(lambda current: _without_consensus(current, case_id))
    append_event(record, "consensus", case_id, details={"withdrawn": True})
    write_label_map(case_id, record, grid_of_case(case, cohort, primary), _numbers(record))
    return True


def _numbers(record: CohortRecord) -> dict[str, int] | None:
    """Return the number per name that all label maps of the cohort have, if names were chosen."""
    chosen = read_label_set(record)
    names = () if chosen is None or chosen.task else chosen.names
    return {name: value for value, name in enumerate(names, start=1)} or None


def _without_consensus(current: CaseStates, case_id: str) -> CaseStates:
    own = {k: v for k, v in current.labels.get(case_id, {}).items() if k != CONSENSUS}
    return replace(current, labels={**current.labels, case_id: own})


def outdated_consensus(states: CaseStates) -> tuple[str, ...]:
    """Return the cases, sorted, of which a reader saved a label after the consensus was made."""
    return tuple(
        case
        for case, labels in sorted(states.labels.items())
        if CONSENSUS in labels and any(label.at > labels[CONSENSUS].at for label in labels.values())
    )


def _check_unchanged(case_id: str, place: Path, record: CohortRecord) -> None:
    """Refuse to replace or remove a consensus that was edited in another program."""
    if not place.exists():
        return
    noted = record.read_states().labels.get(case_id, {}).get(CONSENSUS)
    if noted is None or file_checksum(place) != noted.sha256:
        msg = (
            f"{place} was changed in another program since it was made, so it was left as it is."
            " Move it elsewhere to make the consensus again."
        )
        raise CohortError(msg)


def segment_names(found: Mapping[Reading, SegmentMasks]) -> dict[str, str]:
    """Return the names of all segments, as compared and as written first, in the order found."""
    names: dict[str, str] = {}
    for masks in found.values():
        for name in masks.masks:
            names.setdefault(name.casefold(), name)
    return names


def own_mask(masks: SegmentMasks, name: str, nothing: MaskArray) -> MaskArray:
    """Return the mask of a segment by its name in any capitals; `nothing` without one."""
    wanted = name.casefold()
    return next((mask for own, mask in masks.masks.items() if own.casefold() == wanted), nothing)


def _content(
    masks: Mapping[str, MaskArray], grid: Grid, found: Mapping[Reading, SegmentMasks]
) -> bytes:
    """Return the content of the file; segments look as in the label that names them first."""
    looks: dict[str, Segment] = {}
    for reading in found.values():
        for name, segment in reading.segments.items():
            looks.setdefault(name.casefold(), segment)
    voxels, layer_of = layered(masks, grid)
    entries = []
    for value, name in enumerate(masks, start=1):
        look = looks.get(name.casefold())
        entries.append(
            SegmentEntry(
                segment_id=f"Segment_{value}",
                name=name,
                value=value,
                layer=layer_of[name],
                color=_color(look, value),
                tags=_tags(look),
            )
        )
    return segmentation_file(voxels, grid, entries)


def _color(look: Segment | None, value: int) -> tuple[float, float, float]:
    parts = look.color.split() if look is not None else []
    try:
        red, green, blue = (float(part) for part in parts)
    except ValueError:
        return _COLORS[value % len(_COLORS)]
    return red, green, blue


def _tags(look: Segment | None) -> str:
    """Return the tags of a segment, but not the draft that it began as."""
    tags = [] if look is None else [tag for tag in look.tags.split("|") if tag]
    return "".join(f"{tag}|" for tag in tags if not tag.startswith(BEGAN_TAG))
