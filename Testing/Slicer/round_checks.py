"""What three rounds of labeling must have left in the record of the cohort; prints the numbers.

Everything is read from files, and Dice is computed here a second time, from results and references.
"""

from __future__ import annotations

import getpass
import json
import platform
import re
from pathlib import Path
from typing import Any

import numpy as np


def voxels(file: Path) -> np.ndarray:
    """Read a label map as an array of shape `(K, J, I)`."""
    import SimpleITK as sitk  # noqa: N813

    return np.asarray(sitk.GetArrayFromImage(sitk.ReadImage(str(file))))


def check(rounds: Any, *, n_tests: int, n_labels: int) -> None:
    """Check what is claimed, and print it.

    Args:
        rounds: The `Rounds` that were gone through.
        n_tests: How many cases were set aside for testing.
        n_labels: How many others were labeled in all.
    """
    from MultimodalImagingLib.record.cohort_record import CohortRecord
    from MultimodalImagingLib.record.rounds import read_rounds

    record = CohortRecord(rounds.cohort / ".crossmodal")
    tests = set(record.read_states().evaluation)
    assert len(tests) == n_tests, tests
    _check_labels(rounds, record, tests, n_labels)
    _check_drafts(rounds, tests)
    found = read_rounds(record)
    assert len(found) == rounds.options.trainings
    validation: set[str] = set()
    for entry in found:
        validation = _check_round(rounds, record, tests, entry, validation)
    _check_page(rounds, found)


def _check_labels(rounds: Any, record: Any, tests: set[str], n_labels: int) -> None:
    """Every label is the reference, voxel by voxel, and nothing else was labeled."""
    states = record.read_states()
    labelled = {case for case, entry in states.entries.items() if entry.state.value == "labelled"}
    assert len(labelled) == n_labels + len(tests), sorted(labelled)
    assert tests < labelled
    for case in labelled:
        drawn = voxels(record.labels / f"{case}.nii.gz") > 0
        assert np.array_equal(drawn, rounds.reference(case)), case
    [again] = [case for case, _, is_blinded, _ in rounds.opened if is_blinded]
    assert len({label.reader for label in states.labels[again].values()}) == 2
    print(f"Labels: {n_labels} to train on, {len(tests)} for testing; read again: {again}")
    print(f"Set aside: {', '.join(sorted(tests))}")


def _check_drafts(rounds: Any, tests: set[str]) -> None:
    """Labels for testing and re-reads began empty; from the second round on, others as drafts."""
    is_first = True
    for case, _reader, is_blinded, draft in rounds.opened:
        if case in tests or is_blinded:
            assert not draft, case
        is_first = is_first and not draft
        assert bool(draft) or is_first or case in tests or is_blinded, case


def _check_round(
    rounds: Any, record: Any, tests: set[str], entry: Any, validation: set[str]
) -> set[str]:
    """No case for testing has a part in the weights, and the noted Dice is the true one."""
    folder = record.folder / entry.model
    model = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    seen = {*model["training_cases"], *model["validation_cases"], *model.get("seen_before", ())}
    assert not seen & tests, seen & tests
    assert seen == set(entry.labels)
    assert not model.get("started_from")
    assert not validation & set(model["training_cases"])
    assert set(entry.evaluation) == tests
    [place] = record.results.glob(f"{folder.name}-{entry.model_id[:8]}-*")
    dice = {}
    for case in sorted(tests):
        found = voxels(place / case / "segmentation.nii.gz") > 0
        true = rounds.reference(case)
        dice[case] = 2 * float((found & true).sum()) / max(float(found.sum() + true.sum()), 1.0)
        [noted] = entry.evaluation[case].values()
        assert noted is not None
        assert abs(noted - dice[case]) < 1e-6, (case, noted, dice[case])
    drafts = {path.parent.name for path in place.glob("*/result.json")} - tests
    assert len(drafts) == entry.n_drafts
    assert not drafts & seen
    values = list(dice.values())
    print(
        f"Round {entry.number}: {len(seen)} labels ({len(model['training_cases'])} to train on,"
        f" {len(model['validation_cases'])} to validate), step {model['step']}, validation Dice"
        f" {model['metrics']['dice']:.3f}, {entry.n_drafts} drafts, evaluation Dice"
        f" {np.mean(values):.3f} ({min(values):.3f} to {max(values):.3f}) over {len(values)} cases"
    )
    return validation | set(model["validation_cases"])


def _check_page(rounds: Any, found: Any) -> None:
    """The page says these numbers, and nothing about the computer."""
    text = (rounds.studio.folder / "labeling.html").read_text(encoding="utf-8")
    for entry in found:
        values = [value for of_case in entry.evaluation.values() for value in of_case.values()]
        assert f"{np.mean(values):.3f}" in text
    for secret in (str(Path.home()), str(rounds.options.work), platform.node(), getpass.getuser()):
        assert not re.search(rf"(?<![:\w]){re.escape(secret)}\b", text), secret
    assert "http://" not in text.replace("http://www.w3.org/2000/svg", "")
