"""An `evaluation.json` read back, for pages about results. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from CIMLSegmentLib.results.evaluation_files import JSON_FILE
from MultimodalImagingLib.record.json_entry import JsonEntry, read_json

_SUMMARY = ("dice_mean", "dice_sd", "dice_median", "hd95_mean_mm", "dsc_agg")
_SCORES = ("dice", "hd95_mm")


def read_evaluation(folder: Path) -> Mapping[str, Any]:
    """Return the evaluation in a folder of results; empty if there is none.

    Raises:
        ModelError: If the file is not what `ciml-segmenter evaluate` writes.
    """
    path = folder / JSON_FILE
    if not path.is_file():
        return {}
    entry = JsonEntry(read_json(path), f"the evaluation {path}")
    entry.value("n_cases", int)
    entry.value("rules", str)
    for key, names in (("summary", _SUMMARY), ("scores", _SCORES)):
        for item in entry.items(key, f"entry of {key!r}"):
            item.value("region", str)
            for name in names:
                item.value(name, float)
    for item in entry.items("scores", "score"):
        item.value("case_id", str)
    return entry.data
