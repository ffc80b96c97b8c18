"""Several readers: agreement, consensus, and what is read again."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from MultimodalImagingLib.cohorts import consensus
from MultimodalImagingLib.cohorts.agreement import (
    agreement_sentences,
    disagreeing,
    measure_agreement,
    read_agreement,
)
from MultimodalImagingLib.cohorts.cases import Cohort
from MultimodalImagingLib.cohorts.cohort import find_cohort
from MultimodalImagingLib.cohorts.consensus import (
    make_consensus,
    outdated_consensus,
    withdraw_consensus,
)
from MultimodalImagingLib.cohorts.label_maps import label_map_place
from MultimodalImagingLib.cohorts.labelled_cases import label_that_counts
from MultimodalImagingLib.cohorts.reader_labels import consensus_place, reader_label_place
from MultimodalImagingLib.cohorts.reading_plan import (
    DueReading,
    RereadingPlan,
    due_reading,
    labeling_order,
    read_plan,
    write_plan,
)
from MultimodalImagingLib.cohorts.readings import one_per_reader, readings_of
from MultimodalImagingLib.cohorts.saved_labels import (
    changed_elsewhere,
    new_saved_label,
    note_saved_label,
)
from MultimodalImagingLib.errors import CohortError, UsageError
from MultimodalImagingLib.images.geometry import Grid, Volume
from MultimodalImagingLib.images.label_names import BEGAN_TAG, draft_model, read_segments
from MultimodalImagingLib.images.segment_masks import read_segment_masks
from MultimodalImagingLib.images.segmentation_file import SegmentEntry, layered, segmentation_file
from MultimodalImagingLib.images.stored_image import ImageFile
from MultimodalImagingLib.images.volume_io import read_volume, write_volume
from MultimodalImagingLib.images.voting import voted_mask
from MultimodalImagingLib.record.case_states import CaseStates, SavedLabel
from MultimodalImagingLib.record.cohort_record import CohortRecord, open_record
from MultimodalImagingLib.record.label_set_file import LabelSet, write_label_set

GRID = Grid((12, 10, 8), (2.0, 1.0, 1.0), (0.0, 0.0, 0.0), (1, 0, 0, 0, 1, 0, 0, 0, 1))


EARLY = "2026-01-01T00:00:00+00:00"


def box(first: int, last: int, grid: Grid = GRID) -> np.ndarray:
    """Columns of voxels along I; 4 x 4 in K and J."""
    mask = np.zeros(grid.array_shape, bool)
    mask[2:6, 2:6, first:last] = True
    return mask


@pytest.fixture
def cohort(tmp_path: Path) -> Cohort:
    root = tmp_path / "cohort"
    for case in ("a", "b"):
        (root / case).mkdir(parents=True)
        for name in ("ct", "pet"):
            values = np.random.default_rng(len(name)).normal(size=GRID.array_shape)
            write_volume(root / case / f"{name}.nii.gz", Volume(values.astype(np.float32), GRID))
    return find_cohort(root)


def save(
    record: CohortRecord,
    case: str,
    reader: str,
    masks: Mapping[str, np.ndarray],
    *,
    grid: Grid = GRID,
    is_blinded: bool = False,
    tags: str = "",
    at: str = "",
) -> Path:
    voxels, layer_of = layered(masks, grid)
    entries = [
        SegmentEntry(f"s{n}", name, n, layer_of[name], (0.25, 0.5, 0.75), tags)
        for n, name in enumerate(masks, 1)
    ]
    place = reader_label_place(case, reader, record, is_blinded=is_blinded)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(segmentation_file(voxels, grid, entries))
    label = new_saved_label(case, reader, place, record, is_blinded=is_blinded)
    note_saved_label(record, replace(label, at=at or label.at))
    return place


def test_overlapping_segments_survive_the_file(tmp_path: Path) -> None:
    masks = {"whole": box(1, 9), "core": box(3, 5), "other": box(9, 11)}
    voxels, layer_of = layered(masks, GRID)
    assert layer_of == {"whole": 0, "core": 1, "other": 0}
    entries = [SegmentEntry(n, n, v, layer_of[n]) for v, n in enumerate(masks, 1)]
    file = tmp_path / "x.seg.nrrd"
    file.write_bytes(segmentation_file(voxels, GRID, entries))
    found = read_segment_masks(file, GRID)
    assert not found.is_moved
    for name, mask in masks.items():
        assert np.array_equal(found.masks[name], mask)


def test_majority_is_what_more_than_half_marked() -> None:
    masks = [box(1, 5), box(2, 6), box(3, 9)]
    assert np.array_equal(voted_mask(masks, "majority"), box(2, 5) | box(3, 6))
    assert np.array_equal(voted_mask(masks[:2], "majority"), box(2, 5))


def test_staple_follows_those_who_agree() -> None:
    good, alike, bad = box(2, 8), box(2, 8), box(7, 11)
    assert np.array_equal(voted_mask([good, alike, bad], "staple"), good)
    assert np.array_equal(voted_mask([good, good, good], "staple"), good)


@pytest.mark.parametrize("method", ["staple", "majority"])
def test_nothing_marked_is_nothing_agreed(method: str) -> None:
    nothing = np.zeros(GRID.array_shape, bool)
    assert not voted_mask([nothing, nothing], method).any()  # type: ignore[arg-type]


def test_agreement_has_closed_forms(cohort: Cohort) -> None:
    record = open_record(cohort.root)
    save(record, "a", "AB", {"Tumor": box(2, 6), "only": box(7, 8)})
    save(record, "a", "CD", {"tumor": box(4, 8)})
    save(record, "a", "AB", {"Tumor": box(3, 7)}, is_blinded=True)
    save(record, "b", "AB", {"Tumor": box(2, 6)})
    pairs = measure_agreement(cohort, record)
    assert [(p.first, p.second, p.is_intra) for p in pairs] == [
        ("AB", "AB", True),
        ("AB", "CD", False),
        ("CD", "AB", False),
    ]
    tumor, only = pairs[1].regions
    assert tumor.dice == pytest.approx(0.5)
    assert tumor.hd95_mm == pytest.approx(4.0, abs=1e-4)  # two columns of 2 mm
    assert tumor.first_ml == tumor.second_ml == pytest.approx(4 * 4 * 4 * 2 / 1000)
    assert (only.dice, only.hd95_mm, only.second_ml) == (0.0, None, 0.0)
    assert pairs[0].regions[0].dice == pytest.approx(0.75)
    assert disagreeing(pairs, 0.7) == {"a": 0.0}
    text = " ".join(agreement_sentences(pairs, record.read_states()))
    assert "Of one reader, Tumor: Dice 0.750" in text
    assert "Readers disagree (Dice below 0.7) in 1 case: a." in text
    assert read_agreement(record) == pairs


def test_figures_are_measured_again_when_a_label_changes(cohort: Cohort) -> None:
    record = open_record(cohort.root)
    save(record, "a", "AB", {"Tumor": box(2, 6)})
    save(record, "a", "CD", {"Tumor": box(4, 8)})
    before = measure_agreement(cohort, record)
    assert measure_agreement(cohort, record) == before
    save(record, "a", "CD", {"Tumor": box(2, 6)})
    (pair,) = measure_agreement(cohort, record)
    assert pair.regions[0].dice == 1.0


def test_a_label_on_another_grid_is_said_and_put_on_that_of_the_image(cohort: Cohort) -> None:
    record = open_record(cohort.root)
    fine = replace(GRID, size=(24, 10, 8), spacing_mm=(1.0, 1.0, 1.0), origin_mm=(-0.5, 0.0, 0.0))
    save(record, "a", "AB", {"Tumor": box(2, 6)})
    save(record, "a", "CD", {"Tumor": box(4, 12, fine)}, grid=fine)
    said: list[str] = []

    class Told:
        def __getattr__(self, name: str) -> object:
            return (lambda *args: said.append(str(args))) if name == "warning" else lambda *_: None

    (pair,) = measure_agreement(cohort, record, reporter=Told())  # type: ignore[arg-type]
    assert pair.regions[0].dice == 1.0
    assert any("another grid than the primary image" in text and "CD" in text for text in said)


def test_a_consensus_counts_and_changes_nobodys_file(cohort: Cohort) -> None:
    record, case = open_record(cohort.root), cohort.cases[0]
    tags = f"TerminologyEntry:x~y~z|{BEGAN_TAG}:model|"
    files = [
        save(record, "a", reader, {"Tumor": box(first, last)}, tags=tags, at=at)
        for reader, first, last, at in (("AB", 1, 5, EARLY), ("CD", 2, 6, EARLY), ("EF", 3, 9, ""))
    ]
    contents = [file.read_bytes() for file in files]
    made = make_consensus(case, cohort, record, "majority")
    assert made.readers == ("AB", "CD", "EF")
    counting = label_that_counts("a", None, record)
    assert counting is not None
    assert counting.path == consensus_place("a", record)
    found = read_segment_masks(counting.path, GRID)
    assert np.array_equal(found.masks["Tumor"], box(2, 6))
    (segment,) = read_segments(counting.path)
    assert segment.color == "0.25 0.5 0.75"
    assert segment.tags == "TerminologyEntry:x~y~z|"
    assert draft_model(counting.path) == ""
    assert [file.read_bytes() for file in files] == contents
    label_map = label_map_place("a", record)
    assert np.array_equal(read_volume(ImageFile(label_map)).array == 1, box(2, 6))
    assert withdraw_consensus(case, cohort, record)
    assert not withdraw_consensus(case, cohort, record)
    assert changed_elsewhere(record) == ()
    assert np.array_equal(read_volume(ImageFile(label_map)).array == 1, box(3, 9))
    counting = label_that_counts("a", None, record)
    assert counting is not None
    assert counting.path in files


def test_the_map_of_a_consensus_has_the_numbers_of_the_cohorts_labels(cohort: Cohort) -> None:
    record = open_record(cohort.root)
    write_label_set(record, LabelSet(names=("Node", "Tumor")))
    for reader in ("AB", "CD"):
        save(record, "a", reader, {"Tumor": box(1, 5)})
    make_consensus(cohort.cases[0], cohort, record, "staple")
    values = np.unique(read_volume(ImageFile(label_map_place("a", record))).array)
    assert values.tolist() == [0, 2]


def test_a_consensus_that_was_edited_elsewhere_is_left(cohort: Cohort) -> None:
    record, case = open_record(cohort.root), cohort.cases[0]
    for reader in ("AB", "CD"):
        save(record, "a", reader, {"Tumor": box(1, 5)})
    make_consensus(case, cohort, record, "staple")
    consensus_place("a", record).write_bytes(b"edited")
    with pytest.raises(CohortError, match="was changed in another program"):
        make_consensus(case, cohort, record, "staple")
    with pytest.raises(CohortError, match="was changed in another program"):
        withdraw_consensus(case, cohort, record)
    assert consensus_place("a", record).read_bytes() == b"edited"


@pytest.mark.parametrize("moment", ["note_saved_label", "_without_consensus"])
def test_a_crash_keeps_nobody_from_the_consensus(
    cohort: Cohort, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    record, case = open_record(cohort.root), cohort.cases[0]
    for reader in ("AB", "CD"):
        save(record, "a", reader, {"Tumor": box(1, 5)})

    def crash(*_arguments: object, **_options: object) -> None:
        raise KeyboardInterrupt

    def make_and_withdraw() -> None:
        make_consensus(case, cohort, record, "staple")
        withdraw_consensus(case, cohort, record)

    with monkeypatch.context() as patch:
        patch.setattr(consensus, moment, crash)
        with pytest.raises(KeyboardInterrupt):
            make_and_withdraw()
    if moment == "note_saved_label":
        make_consensus(case, cohort, record, "staple")
    assert withdraw_consensus(case, cohort, record)
    assert changed_elsewhere(record) == ()


def test_what_lies_outside_the_image_is_said(cohort: Cohort) -> None:
    record = open_record(cohort.root)
    save(record, "a", "AB", {"Tumor": box(2, 6)})
    apart = replace(GRID, origin_mm=(8.0, 0.0, 0.0))
    save(record, "a", "CD", {"Tumor": box(4, 12, apart)}, grid=apart)
    made = make_consensus(cohort.cases[0], cohort, record, "majority")
    assert any("Only 0.128 of 0.256 ml of the label of CD are" in text for text in made.remarks)


def test_figures_of_another_primary_image_are_not_used(cohort: Cohort, tmp_path: Path) -> None:
    record = open_record(cohort.root)
    for reader, last in (("AB", 5), ("CD", 6)):
        save(record, "a", reader, {"Tumor": box(2, last)})
    (on_ct,) = measure_agreement(cohort, record, primary="CT")
    grid = replace(GRID, size=(6, 10, 8), spacing_mm=(4.0, 1.0, 1.0), origin_mm=(1.0, 0.0, 0.0))
    write_volume(cohort.root / "a" / "pet.nii.gz", Volume(np.ones(grid.array_shape), grid))
    (on_pet,) = measure_agreement(find_cohort(cohort.root), record, primary="PET")
    assert on_pet.regions != on_ct.regions


def test_pairs_without_a_distance_are_counted(cohort: Cohort) -> None:
    record = open_record(cohort.root)
    save(record, "a", "AB", {"Tumor": box(2, 6)})
    save(record, "a", "CD", {"Tumor": box(4, 8)})
    save(record, "a", "EF", {"other": box(4, 8)})
    text = " ".join(agreement_sentences(measure_agreement(cohort, record), record.read_states()))
    assert "HD95 4.0 mm (none for 2 pairs in which one reader has nothing)" in text


def test_one_reader_makes_no_consensus(cohort: Cohort) -> None:
    record, case = open_record(cohort.root), cohort.cases[0]
    save(record, "a", "AB", {"Tumor": box(1, 5)})
    save(record, "a", "AB", {"Tumor": box(2, 5)}, is_blinded=True)
    assert [reading.name for reading in readings_of("a", record)] == ["AB", "AB (blinded)"]
    assert len(one_per_reader(readings_of("a", record))) == 1
    with pytest.raises(CohortError, match="at least 2 readers of case a, found 1: AB"):
        make_consensus(case, cohort, record, "staple")


def states_of(*labels: tuple[str, str, bool, int]) -> CaseStates:
    """Case, reader, blinded, minute."""
    found: dict[str, dict[str, SavedLabel]] = {}
    for case, reader, is_blinded, minute in labels:
        key = f"{reader}~blinded" if is_blinded else reader
        at = f"2026-01-01T00:{minute:02d}:00+00:00"
        path = f"labels/{case}/{key}.seg.nrrd"
        found.setdefault(case, {})[key] = SavedLabel(
            case, reader, path, "0", at, is_blinded=is_blinded
        )
    return CaseStates({}, 1, labels=found)


def test_a_label_after_the_consensus_is_told() -> None:
    states = states_of(("a", "AB", False, 1), ("a", "consensus", False, 2))
    assert outdated_consensus(states) == ()
    later = states_of(("a", "AB", False, 3), ("a", "consensus", False, 2))
    assert outdated_consensus(later) == ("a",)
    assert "after the consensus of 1 case was made" in " ".join(agreement_sentences((), later))


def test_a_share_of_the_labels_comes_back_but_not_the_last_ones() -> None:
    plan = RereadingPlan(share=0.1, seed=1)
    labels = [(f"c{n:02d}", "AB", False, n) for n in range(10)]
    assert due_reading(states_of(*labels[:9]), "AB", plan) is None
    due = due_reading(states_of(*labels), "AB", plan)
    assert due is not None
    assert due == due_reading(states_of(*reversed(labels)), "CD", plan)
    assert due.case_id not in {"c07", "c08", "c09"}
    assert not due.is_third
    done = states_of(*labels, (due.case_id, "AB", True, 30))
    assert due_reading(done, "AB", plan) is None
    assert due_reading(states_of(*labels), "AB", plan, but=[due.case_id]) != due
    assert due_reading(states_of(*labels), "AB", plan, left=[due.case_id]) is None
    assert due_reading(states_of(*labels), "AB", RereadingPlan()) is None
    seeds = {due_reading(states_of(*labels), "AB", RereadingPlan(0.1, seed)) for seed in range(8)}
    assert len(seeds) > 1


def test_a_disagreement_goes_to_a_third_reader(cohort: Cohort) -> None:
    record = open_record(cohort.root)
    save(record, "a", "AB", {"Tumor": box(2, 6)})
    save(record, "a", "CD", {"Tumor": box(5, 9)}, is_blinded=True)
    pairs, states = measure_agreement(cohort, record), record.read_states()
    plan = RereadingPlan(share=0.1)
    assert due_reading(states, "AB", plan, pairs) is None
    assert due_reading(states, "cd", plan, pairs) is None
    assert due_reading(states, "EF", plan, pairs) == DueReading("a", is_third=True)
    assert due_reading(states, "EF", replace(plan, limit=0.2), pairs) is None
    record.claim("a", "GH")
    assert due_reading(record.read_states(), "EF", plan, pairs) is None
    record.release("a", "GH")
    save(record, "a", "EF", {"Tumor": box(3, 7)}, is_blinded=True)
    pairs, states = measure_agreement(cohort, record), record.read_states()
    assert due_reading(states, "GH", plan, pairs) is None


def test_the_evaluation_set_is_spread_between_the_suggested() -> None:
    suggested = [f"s{n}" for n in range(8)]
    order = labeling_order(suggested, ["t0", "t1"])
    assert [case for case in order if case in suggested] == suggested
    assert sorted(order.index(case) for case in ("t0", "t1")) == [2, 7]
    assert order == labeling_order(suggested, ["t1", "t0"])
    assert labeling_order([], ["t0"]) == ["t0"]


def test_a_plan_is_kept_and_checked(tmp_path: Path) -> None:
    record = open_record(tmp_path)
    assert read_plan(record) == RereadingPlan()
    write_plan(record, RereadingPlan(0.2, 3, 0.5))
    assert read_plan(record) == RereadingPlan(0.2, 3, 0.5)
    with pytest.raises(UsageError, match="share and a Dice of 0 to 1"):
        RereadingPlan(share=10)
    (record.folder / "rereading.json").write_text('{"share": 7}')
    with pytest.raises(CohortError, match="Move it away"):
        read_plan(record)
