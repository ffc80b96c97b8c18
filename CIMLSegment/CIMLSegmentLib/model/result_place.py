"""Where a cohort's record keeps the results of a model. Imports no torch."""

from __future__ import annotations

from pathlib import Path

from CIMLSegmentLib.model.model_description import DESCRIPTION_NAME, WEIGHTS_NAME, WEIGHTS_SHA256
from MultimodalImagingLib.errors import CrossModalError
from MultimodalImagingLib.record.cohort_record import CohortRecord
from MultimodalImagingLib.record.draft_uncertainty import RESULT_NAME, model_label
from MultimodalImagingLib.record.json_entry import JsonEntry, read_json


def result_place(record: CohortRecord, model: Path) -> Path:
    """Return the folder of a model's results in a record; nothing is created.

    Every state of every model has its own, for example `brats-1c0ffee5-400-5eed5eed`, so that
    results of two are never taken for one's: neither where folders have the same name, nor where a
    model was trained further, or in the same way on other labels. Folders of earlier versions are
    not named by the weights: one counts if all of its results were made after the model was.
    """
    found = _identity(model)
    place = record.results / "-".join(filter(None, (model.name, model_label(found))))
    older = {name: value for name, value in found.items() if name != WEIGHTS_SHA256}
    earlier = record.results / "-".join(filter(None, (model.name, model_label(older))))
    return earlier if not place.exists() and _is_of(earlier, model) else place


def _identity(folder: Path) -> dict[str, object]:
    try:
        content = JsonEntry(read_json(folder / DESCRIPTION_NAME), str(folder))
        return {
            "model_id": content.value("model_id", str),
            "step": content.value("step", int),
            WEIGHTS_SHA256: content.value(WEIGHTS_SHA256, str, ""),
        }
    except CrossModalError:
        return {}


def _is_of(results: Path, model: Path) -> bool:
    """Tell whether all results of a folder were made after the weights of a model were written."""
    try:
        written = (model / WEIGHTS_NAME).stat().st_mtime_ns
        made = [path.stat().st_mtime_ns for path in results.glob(f"*/{RESULT_NAME}")]
    except OSError:
        return False
    return bool(made) and min(made) > written
