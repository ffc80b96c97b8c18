"""Result folders: written whole or not at all. Imports no torch."""

from __future__ import annotations

import hashlib
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from CIMLSegmentLib.results.map_kinds import MAP_KINDS, MapKey
from CIMLSegmentLib.results.segmentation_nrrd import segmentation_nrrd
from CIMLSegmentLib.results.segmentation_result import (
    FORMAT_VERSION,
    RESULT_FILE,
    ResultMap,
    SegmentationResult,
)
from CIMLSegmentLib.task.task_io import task_to_json
from MultimodalImagingLib.errors import UsageError
from MultimodalImagingLib.images.arrays import Float32Array
from MultimodalImagingLib.images.geometry import Volume
from MultimodalImagingLib.images.volume_io import write_volume
from MultimodalImagingLib.jobs.environment import core_count
from MultimodalImagingLib.jobs.progress import check_cancelled
from MultimodalImagingLib.record.atomic_files import write_bytes, write_json
from MultimodalImagingLib.record.atomic_folder import new_folder
from MultimodalImagingLib.record.draft_uncertainty import KEY, uncertainty_to_json
from MultimodalImagingLib.record.json_entry import json_value
from MultimodalImagingLib.record.ownership import Ownership, Written, check_own, checksums, is_free

LABEL_MAP_FILE = "segmentation.nii.gz"
SEGMENTATION_FILE = "segmentation.seg.nrrd"

# Maps are kept with 12 of 23 bits of their mantissa: 0.01 %, and half the file.
_DROPPED_BITS = 11
_FORBIDDEN = re.compile(r'[\x00-\x1f/\\:*?"<>|]')


def result_folder(output: Path, case_id: str) -> Path:
    """Return the folder of a case's result; a name that no file system takes is changed."""
    return output / _safe(case_id)


def has_result(output: Path, case_id: str) -> bool:
    """Tell whether a case has a finished result, or anything else under its name."""
    return not is_free(result_folder(output, case_id))


def result_ownership(case_id: str) -> Ownership:
    """Return how the result of a case is recognized, so that nothing else is ever replaced."""
    title = f"a result of `ciml-segmenter segment` for the case {case_id}"
    return Ownership(title, RESULT_FILE, lambda folder: _written_files(folder, case_id))


def write_result(result: SegmentationResult, output: Path, *, overwrite: bool = False) -> Path:
    """Write a result folder.

    Args:
        result: The result.
        output: Receives the folder of the case; created if absent.
        overwrite: Whether an older result may be replaced. It stays until the new one is whole.
            Nothing but an unchanged result of this case is ever replaced.

    Returns:
        The folder of the case.

    Raises:
        UsageError: If there is an older result and it may not be replaced.
        CrossModalError: If the folder cannot be written.
        CancelledError: If the user asked to stop; nothing is left then.
    """
    folder = result_folder(output, result.case_id)
    check_replaceable(output, result.case_id, overwrite=overwrite)
    ownership = result_ownership(result.case_id) if overwrite else None
    with new_folder(folder, replaces=ownership) as temporary:
        _write_files(result, temporary)
    return folder


def check_replaceable(output: Path, case_id: str, *, overwrite: bool) -> None:
    """Refuse to write where an older result may not be replaced, or something else lies.

    Raises:
        UsageError: If so.
    """
    folder, ownership = result_folder(output, case_id), result_ownership(case_id)
    if is_free(folder):
        return
    check_own(folder, ownership)
    if not overwrite:
        msg = (
            f"{folder} holds a result already; it was left as it is. Use --overwrite to replace"
            " it, or choose another --output."
        )
        raise UsageError(msg)


def map_file_name(key: MapKey) -> str:
    """Return the file name of a map, for example `attention_CT_to_PET_GTV.nii.gz`."""
    route = f"{key.auxiliary}_to_{key.primary}" if key.auxiliary is not None else None
    parts = [part for part in (key.kind, route, key.region) if part is not None]
    return _safe("_".join(parts)) + ".nii.gz"


def _write_files(result: SegmentationResult, folder: Path) -> None:
    write_volume(folder / LABEL_MAP_FILE, result.label_map)
    write_bytes(
        folder / SEGMENTATION_FILE,
        segmentation_nrrd(result.masks, result.label_map.grid, result.task),
    )
    _write_maps(result, folder)
    write_json(folder / RESULT_FILE, {**_content(result), "files": checksums(folder)})


def _written_files(folder: Path, case_id: str) -> Written | None:
    """Read which files a result consists of; `None` if it is none of this case."""
    try:
        content = json_value((folder / RESULT_FILE).read_text(encoding="utf-8"))
        is_own = content["format_version"] == FORMAT_VERSION and content["case"] == case_id
        names = [content["label_map"], content["segmentation"]]
        names += [item["file"] for item in content["maps"]]
        sums = content.get("files", {})
        return {name: sums.get(name) for name in names} if is_own else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _write_maps(result: SegmentationResult, folder: Path) -> None:
    """Write every array once; regions that share a map get copies of its file."""
    by_array: dict[int, list[ResultMap]] = {}
    for item in result.maps:
        by_array.setdefault(id(item.volume), []).append(item)
    groups = list(by_array.values())
    with ThreadPoolExecutor(max_workers=min(4, core_count())) as pool:
        jobs = [pool.submit(_write_map, group[0], folder) for group in groups]
        try:
            for job in jobs:
                job.result()
        finally:
            for job in jobs:
                job.cancel()
    for group in groups:
        for other in group[1:]:
            shutil.copyfile(folder / map_file_name(group[0].key), folder / map_file_name(other.key))


def _write_map(item: ResultMap, folder: Path) -> None:
    check_cancelled()
    values = _rounded(np.ascontiguousarray(item.volume.array, dtype=np.float32))
    write_volume(folder / map_file_name(item.key), Volume(values, item.volume.grid))


def _rounded(values: Float32Array) -> Float32Array:
    half, keep = np.uint32(1 << (_DROPPED_BITS - 1)), ~np.uint32((1 << _DROPPED_BITS) - 1)
    return np.asarray(((values.view(np.uint32) + half) & keep).view(np.float32))


def _content(result: SegmentationResult) -> dict[str, Any]:
    volumes = result.volumes_ml()
    grid = result.label_map.grid
    return {
        "format_version": FORMAT_VERSION,
        "case": result.case_id,
        "primary": result.primary,
        "label_map": LABEL_MAP_FILE,
        "segmentation": SEGMENTATION_FILE,
        "grid": {
            "size": list(grid.size),
            "spacing_mm": list(grid.spacing_mm),
            "origin_mm_lps": list(grid.origin_mm),
            "direction": list(grid.direction),
        },
        "regions": [
            {
                "name": region.name,
                "title": region.title,
                "n_voxels": result.voxels[region.name],
                "volume_ml": volumes[region.name],
            }
            for region in result.task.regions
        ],
        "influence": [asdict(entry) for entry in result.influences],
        "contributions": [asdict(entry) for entry in result.contributions],
        "maps": [_map_content(item) for item in result.maps],
        "missing": list(result.missing),
        "warnings": list(result.warnings),
        "timings_s": dict(result.timings_s),
        "model": dict(result.model),
        "seen": result.is_seen,
        KEY: None if result.uncertainty is None else uncertainty_to_json(result.uncertainty),
        "role": str(result.role),
        "task": task_to_json(result.task),
    }


def _map_content(item: ResultMap) -> dict[str, Any]:
    """Describe a map; the largest value of a signed one is that of its absolute values."""
    values, kind = item.volume.array, MAP_KINDS[item.key.kind]
    largest = np.abs(values).max() if kind.is_signed else values.max()
    return {
        **asdict(item.key),
        "file": map_file_name(item.key),
        "unit": kind.meaning,
        "maximum": float(largest),
    }


def _safe(name: str) -> str:
    """Replace what file systems refuse; a digest keeps different names different."""
    changed = _FORBIDDEN.sub("-", name).strip(" .") or "case"
    if changed == name and not name.startswith("."):
        return name
    return f"{changed}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
