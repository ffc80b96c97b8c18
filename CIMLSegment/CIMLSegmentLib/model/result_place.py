"""Where a cohort's record keeps the results of a model. Imports no torch."""

from __future__ import annotations

from pathlib import Path

from CIMLSegmentLib.model.model_description import DESCRIPTION_NAME
from MultimodalImagingLib.errors import CrossModalError
from MultimodalImagingLib.record.cohort_record import CohortRecord
from MultimodalImagingLib.record.json_entry import JsonEntry, read_json


def model_state(folder: Path) -> str:
    """Name a state of a model, for example `1c0ffee5-400`; empty if the folder holds no model.

    Models whose folders have the same name differ in it, and so does one that was trained further.
    """
    try:
        content = JsonEntry(read_json(folder / DESCRIPTION_NAME), str(folder))
        return f"{content.value('model_id', str)[:8]}-{content.value('step', int)}"
    except CrossModalError:
        return ""


def result_place(record: CohortRecord, model: Path) -> Path:
    """Return the folder of a model's results in a record; nothing is created.

    Every state of every model has its own, so that results of two are never taken for one's.
    """
    return record.results / "-".join(filter(None, (model.name, model_state(model))))
