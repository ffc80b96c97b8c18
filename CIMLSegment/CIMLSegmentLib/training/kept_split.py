"""Which patients validate, kept from round to round.

A case that has validated never trains later, and the other way round: else the figures of two
rounds could not be compared, and a model that starts from the one before would validate on what it
knows. The record of the cohort remembers both; patients that come new are shared out so that the
share of validation stays what was asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from CIMLSegmentLib.training.training_case import TrainingCase
from MultimodalImagingLib.errors import CohortError
from MultimodalImagingLib.record.atomic_files import write_json
from MultimodalImagingLib.record.cohort_record import CohortRecord
from MultimodalImagingLib.record.json_entry import json_value
from MultimodalImagingLib.record.locks import locked

FILE_NAME = "split.json"
FORMAT_VERSION = 1
FEWEST_PATIENTS = 3
_LOCK_WAIT_S = 5.0
_LOCK_SILENCE_S = 60.0  # writing a split takes milliseconds


@dataclass(frozen=True)
class PatientSplit:
    """Patients that train and patients that validate."""

    training: frozenset[str] = frozenset()
    validation: frozenset[str] = frozenset()


def next_split(
    patients: Iterable[str], known: PatientSplit, *, share: float, seed: int
) -> PatientSplit:
    """Share out the patients of a round; those that had a side keep it.

    Args:
        patients: Patients of all labeled cases.
        known: Sides of earlier rounds.
        share: Share of the patients that is to validate: at least one of them if it is above 0 and
            there are three patients or more, none of the new ones if there are fewer.
        seed: Decides which of the new ones.

    Returns:
        All patients that have a side now.
    """
    own = sorted(set(patients))
    new = [name for name in own if name not in known.training | known.validation]
    n_now = len(known.validation & {*own})
    wanted = 0
    if share > 0 and len(own) >= FEWEST_PATIENTS:
        wanted = min(max(1, round(share * len(own))), len(own) - 1)
    order = np.random.default_rng(seed).permutation(len(new))
    joining = frozenset(new[index] for index in order[: max(wanted - n_now, 0)])
    return PatientSplit(
        known.training | {name for name in new if name not in joining}, known.validation | joining
    )


def validation_cases(
    cases: Sequence[TrainingCase], record: CohortRecord, *, share: float, seed: int, keep: bool
) -> tuple[str, ...]:
    """Return the cases that validate in this round.

    Args:
        cases: All labeled cases.
        record: Remembers the sides of earlier rounds, for each seed.
        share: Share of the patients that is to validate.
        seed: Seed of the training.
        keep: Whether the record shall remember this round, too.

    Raises:
        CohortError: If what the record remembers cannot be read.
        LockedError: If another process is writing it now.
        CrossModalError: If it cannot be written.
    """
    patients = [case.patient_id for case in cases]
    if not keep:
        split = next_split(
            patients, _read(record).get(seed, PatientSplit()), share=share, seed=seed
        )
    else:
        what = f"The record {record.folder}"
        place = record.folder / "split.lock"
        with locked(place, wait_s=_LOCK_WAIT_S, silent_for_s=_LOCK_SILENCE_S, what=what):
            splits = _read(record)
            known = splits.get(seed, PatientSplit())
            split = next_split(patients, known, share=share, seed=seed)
            if split != known:
                _write(record, {**splits, seed: split})
    return tuple(sorted(c.case_id for c in cases if c.patient_id in split.validation))


def _read(record: CohortRecord) -> dict[int, PatientSplit]:
    path = record.folder / FILE_NAME
    try:
        content = json_value(path.read_text(encoding="utf-8"))
        if content["format"] != FORMAT_VERSION:
            msg = f"format {content['format']!r}, this version reads {FORMAT_VERSION}"
            raise ValueError(msg)
        return {
            int(seed): PatientSplit(_names(split["training"]), _names(split["validation"]))
            for seed, split in content["splits"].items()
        }
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        msg = (
            f"Expected which patients validate in {path}, but the file cannot be read ({error})."
            " Restore it from a backup, give the cases with --validation-case, or move the file"
            " away to draw them anew."
        )
        raise CohortError(msg) from error


def _names(value: list[str]) -> frozenset[str]:
    if not isinstance(value, list):
        msg = f"{value!r:.80} is no list of patients"
        raise TypeError(msg)
    return frozenset(str(name) for name in value)


def _write(record: CohortRecord, splits: dict[int, PatientSplit]) -> None:
    content = {
        str(seed): {"training": sorted(s.training), "validation": sorted(s.validation)}
        for seed, s in sorted(splits.items())
    }
    write_json(record.folder / FILE_NAME, {"format": FORMAT_VERSION, "splits": content})
