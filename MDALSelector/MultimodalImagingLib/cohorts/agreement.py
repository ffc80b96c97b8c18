"""How well the readers of a cohort agree, with each other and with themselves.

What was measured is kept in `agreement.json` of the record with the checksums of the labels, and
measured again when one of them changes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from statistics import fmean

import numpy as np

from MultimodalImagingLib.cohorts.cases import Cohort
from MultimodalImagingLib.cohorts.consensus import outdated_consensus, own_mask, segment_names
from MultimodalImagingLib.cohorts.readings import (
    Reading,
    grid_of_case,
    read_masks,
    readings_of,
)
from MultimodalImagingLib.errors import CohortError, ModelError
from MultimodalImagingLib.images.geometry import Grid
from MultimodalImagingLib.images.overlap import dice, hausdorff95
from MultimodalImagingLib.images.segment_masks import SegmentMasks
from MultimodalImagingLib.jobs.progress import NullReporter, Reporter
from MultimodalImagingLib.jobs.texts import counted, listed
from MultimodalImagingLib.record.atomic_files import write_json
from MultimodalImagingLib.record.case_states import CaseStates
from MultimodalImagingLib.record.checksums import file_checksum, json_checksum
from MultimodalImagingLib.record.cohort_record import CohortRecord
from MultimodalImagingLib.record.json_entry import (
    JsonEntry,
    config_from_json,
    config_to_json,
    read_json,
)

FILE_NAME = "agreement.json"
FORMAT_VERSION = 1
DEFAULT_LIMIT = 0.7


@dataclass(frozen=True)
class RegionAgreement:
    """How well two readings of a region agree.

    Attributes:
        region: Name of the segment.
        dice: Dice, 0 to 1; 1 if both are empty.
        hd95_mm: 95 % Hausdorff distance, mm; `None` if one of them is empty.
        first_ml: Volume of the first reading, ml.
        second_ml: Volume of the second reading, ml.
    """

    region: str
    dice: float
    hd95_mm: float | None
    first_ml: float
    second_ml: float


@dataclass(frozen=True)
class Agreement:
    """How well two readings of a case agree.

    Attributes:
        case_id: The case.
        first: Reader of the first reading.
        second: Reader of the second reading.
        first_blinded: Whether that reader did not see an earlier label.
        second_blinded: The same of the second reader.
        first_sha256: Checksum of the first label.
        second_sha256: Checksum of the second label.
        regions: Per region that either has.
        grid_sha256: Checksum of the grid on which they were compared.
    """

    case_id: str
    first: str
    second: str
    first_blinded: bool
    second_blinded: bool
    first_sha256: str
    second_sha256: str
    regions: tuple[RegionAgreement, ...]
    grid_sha256: str = ""

    @property
    def is_intra(self) -> bool:
        """Whether both readings are by one reader."""
        return self.first.casefold() == self.second.casefold()

    @property
    def lowest_dice(self) -> float:
        """Dice of the region in which they agree least; 1 without a region."""
        return min((region.dice for region in self.regions), default=1.0)


@dataclass(frozen=True)
class _Kept:
    format: int
    pairs: tuple[Agreement, ...]


def measure_agreement(
    cohort: Cohort,
    record: CohortRecord,
    *,
    primary: str | None = None,
    reporter: Reporter | None = None,
) -> tuple[Agreement, ...]:
    """Compare all readings of every case that has several, and keep the figures in the record.

    Args:
        cohort: The cohort.
        record: Its record.
        primary: The primary modality, on whose grid labels are compared.
        reporter: Notified of cases, and of labels on other grids or that cannot be read.

    Returns:
        A pair of readings each, by case and reader.

    Raises:
        CohortError: If the figures of before cannot be read.
        CrossModalError: If they cannot be written.
    """
    told = reporter or NullReporter()
    known = {_key(pair): pair for pair in read_agreement(record)}
    readings = {case.case_id: readings_of(case.case_id, record) for case in cohort.cases}
    several = [case for case in cohort.cases if len(readings[case.case_id]) > 1]
    told.stage("Compare readers", len(several))
    found: list[Agreement] = []
    for case in several:
        own, remarks = readings[case.case_id], []  # type: tuple[Reading, ...], list[str]
        try:
            grid = grid_of_case(case, cohort, primary)
            found += _of_case(case.case_id, own, grid, known, remarks)
        except (CohortError, OSError) as error:
            remarks.append(f"its labels cannot be compared: {error}")
        for text in remarks:
            told.warning(f"Case {case.case_id}: {text}")
        told.advance()
    pairs = tuple(sorted(found, key=_key))
    if pairs != read_agreement(record):
        write_json(record.folder / FILE_NAME, config_to_json(_Kept(FORMAT_VERSION, pairs)))
    return pairs


def read_agreement(record: CohortRecord) -> tuple[Agreement, ...]:
    """Return what was measured last; nothing is measured.

    Raises:
        CohortError: If the file is not what this program writes.
    """
    path = record.folder / FILE_NAME
    if not path.is_file():
        return ()
    try:
        entry = JsonEntry(read_json(path), "the agreement of readers")
        kept = config_from_json(_Kept, entry.data, where=entry.where)
        if kept.format != FORMAT_VERSION:
            msg = f"format {kept.format}, this version reads {FORMAT_VERSION}"
            raise ModelError(msg)
    except (ModelError, OSError) as error:
        msg = (
            f"Expected how well the readers agree in {path}, but the file cannot be read ({error})."
            " Move it away; it is measured again."
        )
        raise CohortError(msg) from error
    return kept.pairs


def disagreeing(pairs: Iterable[Agreement], limit: float) -> dict[str, float]:
    """Return the cases with readings whose Dice is below a limit in any region, and the lowest."""
    found: dict[str, float] = {}
    for pair in pairs:
        if pair.lowest_dice < limit:
            found[pair.case_id] = min(pair.lowest_dice, found.get(pair.case_id, 1.0))
    return found


def agreement_sentences(
    pairs: tuple[Agreement, ...], states: CaseStates, *, limit: float = DEFAULT_LIMIT
) -> list[str]:
    """Say how well readers agree, between and within them, and what has to be done about it."""
    texts = []
    for title, is_intra in (("Between readers", False), ("Of one reader", True)):
        own = [pair for pair in pairs if pair.is_intra is is_intra]
        for region, values in _by_region(own).items():
            means = f"Dice {fmean(r.dice for r in values):.3f}"
            distances = [r.hd95_mm for r in values if r.hd95_mm is not None]
            far = f", HD95 {fmean(distances):.1f} mm" if distances else ""
            n_without = sum(r.hd95_mm is None and r.dice < 1 for r in values)
            if n_without:
                far += f" (none for {counted(n_without, 'pair')} in which one reader has nothing)"
            apart = fmean(abs(r.first_ml - r.second_ml) for r in values)
            texts.append(
                f"{title}, {region}: {means}{far}, volumes {apart:.3g} ml apart (mean of"
                f" {counted(len(values), 'pair')})."
            )
    cases = sorted(disagreeing(pairs, limit))
    if cases:
        texts.append(
            f"Readers disagree (Dice below {limit:g}) in {counted(len(cases), 'case')}:"
            f" {listed(cases)}."
        )
    old = outdated_consensus(states)
    if old:
        texts.append(
            f"A reader saved a label after the consensus of {counted(len(old), 'case')} was made,"
            f" which still counts: {listed(list(old))}. Make it again with `mdal-selector"
            " consensus`."
        )
    return texts


def _of_case(
    case_id: str,
    readings: tuple[Reading, ...],
    grid: Grid,
    known: Mapping[tuple[str, ...], Agreement],
    remarks: list[str],
) -> Iterator[Agreement]:
    sums = {reading: file_checksum(reading.file) for reading in readings}
    masks: dict[Reading, SegmentMasks] = {}
    for first, second in combinations(readings, 2):
        empty = Agreement(
            case_id,
            first.reader,
            second.reader,
            first.is_blinded,
            second.is_blinded,
            sums[first],
            sums[second],
            (),
            json_checksum(asdict(grid)),
        )
        if _key(empty) in known:
            yield known[_key(empty)]
            continue
        masks = masks or read_masks(readings, grid, remarks)
        pair = {first: masks[first], second: masks[second]}
        yield replace(empty, regions=tuple(_regions(pair, grid)))


def _regions(pair: Mapping[Reading, SegmentMasks], grid: Grid) -> Iterator[RegionAgreement]:
    nothing = np.zeros(grid.array_shape, dtype=bool)
    voxel_ml = math.prod(grid.spacing_mm) / 1000
    for name in segment_names(pair).values():
        first, second = (own_mask(masks, name, nothing) for masks in pair.values())
        is_both = bool(first.any() and second.any())
        spacing = grid.spacing_mm[::-1]
        distance = hausdorff95(first, second, spacing_mm=spacing) if is_both else None
        yield RegionAgreement(
            name,
            dice(first, second),
            distance,
            float(first.sum()) * voxel_ml,
            float(second.sum()) * voxel_ml,
        )


def _by_region(pairs: Iterable[Agreement]) -> dict[str, list[RegionAgreement]]:
    found: dict[str, list[RegionAgreement]] = {}
    for pair in pairs:
        for region in pair.regions:
            found.setdefault(region.region, []).append(region)
    return found


def _key(pair: Agreement) -> tuple[str, ...]:
    blinded = (str(pair.first_blinded), str(pair.second_blinded))
    return (
        *(pair.case_id, pair.first, pair.second),
        *blinded,
        *(pair.first_sha256, pair.second_sha256, pair.grid_sha256),
    )
