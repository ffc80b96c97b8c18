"""How uncertain a model was about a draft: numbers and places in `result.json`.

The segmentation engine writes them; selecting cases and jumping to places only need to read them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from MultimodalImagingLib.errors import CrossModalError
from MultimodalImagingLib.jobs.environment import same_name
from MultimodalImagingLib.record.json_entry import JsonEntry, read_json

RESULT_NAME = "result.json"
KEY = "uncertainty"


@dataclass(frozen=True)
class UncertainPlace:
    """A place of a case where the model was undecided.

    Attributes:
        region: The region that it was undecided about.
        position_mm: LPS, mm.
        entropy_nats: Entropy around the place: the mean with Gaussian weights, nats. Many
            undecided voxels side by side give more than a thin rim.
    """

    region: str
    position_mm: tuple[float, float, float]
    entropy_nats: float


@dataclass(frozen=True)
class DraftUncertainty:
    """How uncertain a model was about a case.

    Attributes:
        regions_nats: Per region, the mean entropy of the voxels in its uncertain band, within 5 mm
            of its border, nats, 0 to ln 2. Size does not enter.
        places: The most uncertain places, the worst first.
    """

    regions_nats: Mapping[str, float]
    places: tuple[UncertainPlace, ...] = ()

    @property
    def mean_nats(self) -> float:
        """The mean over the regions, nats: what strategy `Epistemic` ranks by."""
        return sum(self.regions_nats.values()) / len(self.regions_nats)


@dataclass(frozen=True)
class Draft:
    """A finished draft, as far as it says how uncertain the model was.

    Attributes:
        case_id: The case.
        folder: Its folder.
        model_id: Identity of the model; empty if the result does not say.
        model: What labels that begin with the draft call the model, after the name of the task
            unless it is one of another program; empty as above.
        uncertainty: What the model was uncertain about; `None` in results of older versions.
    """

    case_id: str
    folder: Path
    model_id: str
    model: str
    uncertainty: DraftUncertainty | None


def model_label(identity: Mapping[str, object]) -> str:
    """Name a state of a model, for example `1c0ffee5-400-5eed5eed`; empty if nothing is known.

    Args:
        identity: Any of `model_id`, `step` and `weights_sha256`, as results state them; results of
            versions before 0.9 do not state the last one.
    """
    parts = (str(identity.get("model_id", ""))[:8], str(identity.get("step", "")))
    return "-".join(filter(None, (*parts, str(identity.get("weights_sha256", ""))[:8])))


def uncertainty_to_json(uncertainty: DraftUncertainty) -> dict[str, Any]:
    """Return the entry of `result.json`; positions keep 0.1 mm, entropies six decimals."""
    return {
        "mean_nats": round(uncertainty.mean_nats, 6),
        "regions_nats": {name: round(v, 6) for name, v in uncertainty.regions_nats.items()},
        "places": [
            {
                "region": place.region,
                "position_mm_lps": [round(value, 1) for value in place.position_mm],
                "entropy_nats": round(place.entropy_nats, 6),
            }
            for place in uncertainty.places
        ],
    }


def uncertainty_from_json(entry: JsonEntry) -> DraftUncertainty | None:
    """Read the entry of a `result.json`; `None` if an older version wrote it, without one.

    Raises:
        ModelError: If it is not what `uncertainty_to_json` returns.
    """
    if entry.data.get(KEY) is None:
        return None
    found = JsonEntry(entry.data[KEY], f"{KEY!r} of {entry.where}")
    regions = found.mapping("regions_nats", float)
    if not regions:
        return None
    return DraftUncertainty(regions, tuple(_place(p) for p in found.items("places", "place")))


def read_draft(folder: Path) -> Draft:
    """Read what a result folder says of its uncertainty; images are not read.

    Raises:
        ModelError: If `result.json` is not what the segmentation engine writes.
    """
    entry = JsonEntry(read_json(folder / RESULT_NAME), f"the result {folder / RESULT_NAME}")
    model = entry.value("model", dict)
    return Draft(
        same_name(entry.value("case", str)),
        folder,
        str(model.get("model_id", "")),
        str(model.get("name") or model_label(model)),
        uncertainty_from_json(entry),
    )


def read_drafts(folder: Path) -> dict[str, Draft]:
    """Return the drafts in a folder of results by case; what is no finished result is left out."""
    found: dict[str, Draft] = {}
    for path in sorted(folder.glob(f"*/{RESULT_NAME}")):
        if path.parent.name.startswith("."):
            continue
        try:
            draft = read_draft(path.parent)
        except CrossModalError:  # half a result, or something else of that name
            continue
        found[draft.case_id] = draft
    return found


def newest_drafts(results: Path, case_ids: Iterable[str]) -> tuple[Path | None, dict[str, Draft]]:
    """Return the drafts of the model that segmented any of the cases last, and their folder.

    Entropies of two models cannot be compared, so drafts of older models are not mixed in.

    Args:
        results: Holds a folder per model, as a record does.
        case_ids: The cases that are asked about.
    """
    wanted = set(case_ids)
    best: tuple[int, Path | None, dict[str, Draft]] = (-1, None, {})
    for folder in sorted(path for path in results.glob("*") if path.is_dir()):
        drafts = {name: d for name, d in read_drafts(folder).items() if name in wanted}
        times = [(draft.folder / RESULT_NAME).stat().st_mtime_ns for draft in drafts.values()]
        if times and max(times) > best[0]:
            best = (max(times), folder, drafts)
    return best[1], best[2]


def _place(entry: JsonEntry) -> UncertainPlace:
    x, y, z = entry.listed("position_mm_lps", float)
    position = (float(x), float(y), float(z))
    return UncertainPlace(entry.value("region", str), position, entry.value("entropy_nats", float))
