"""A trained model as a MONAI bundle: configuration and weights, no code and no pickle.

The bundle names components of this package, which has to be installed where it runs; so its output
is that of `ciml-segmenter segment` by construction.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from CIMLSegmentLib.model.model import TrainedModel, load_model, save_model
from CIMLSegmentLib.model.model_description import DESCRIPTION_NAME, PACKAGES, WEIGHTS_NAME
from MultimodalImagingLib.errors import UsageError
from MultimodalImagingLib.record.atomic_files import write_json, write_text
from MultimodalImagingLib.record.atomic_folder import new_folder
from MultimodalImagingLib.record.json_entry import json_value
from MultimodalImagingLib.record.ownership import (
    Ownership,
    Written,
    check_outside,
    check_own,
    checksums,
    is_free,
)
from MultimodalImagingLib.version import CROSSMODAL_VERSION, current_versions

CONFIG_FILE = Path("configs") / "inference.json"
METADATA_FILE = Path("configs") / "metadata.json"
README_FILE = Path("docs") / "README.md"
MODEL_FOLDER = "models"
# What bundles hold that were written before they named their files.
_FILES = (
    CONFIG_FILE.as_posix(),
    README_FILE.as_posix(),
    f"{MODEL_FOLDER}/{WEIGHTS_NAME}",
    f"{MODEL_FOLDER}/{DESCRIPTION_NAME}",
)


def export_bundle(model_folder: Path, bundle: Path, *, overwrite: bool = False) -> Path:
    """Write a model as a MONAI bundle.

    Args:
        model_folder: Folder of the trained model.
        bundle: The bundle's folder; must not exist unless `overwrite`.
        overwrite: Whether an older bundle may be replaced; nothing but an unchanged bundle ever is.

    Returns:
        The bundle's folder.

    Raises:
        ModelError: If the model cannot be read.
        UsageError: If the folder exists and may not be replaced.
        CrossModalError: If it cannot be written.
    """
    model = load_model(model_folder)
    check_outside(bundle, model_folder, holds="the model", option="--monai-bundle")
    if not is_free(bundle):
        check_own(bundle, BUNDLE)
        if not overwrite:
            msg = (
                f"{bundle} holds a bundle already; it was left as it is. Use --overwrite to"
                " replace it, or choose another folder."
            )
            raise UsageError(msg)
    with new_folder(bundle, replaces=BUNDLE if overwrite else None) as folder:
        for part in ("configs", "docs"):
            (folder / part).mkdir()
        save_model(folder / MODEL_FOLDER, model)
        write_json(folder / CONFIG_FILE, inference_config())
        write_text(folder / README_FILE, _readme(model))
        files = {"crossmodal_files": checksums(folder)}
        write_json(folder / METADATA_FILE, {**bundle_metadata(model), **files})
    return bundle


def inference_config() -> dict[str, Any]:
    """Return the configuration that `monai.bundle run` executes."""
    components = "CIMLSegmentLib.bundle_components"
    return {
        "bundle_root": ".",
        "model_dir": f"$@bundle_root + '/{MODEL_FOLDER}'",
        "dataset_dir": "",
        "output_dir": "$@bundle_root + '/eval'",
        "device": "auto",
        "overlap": 0.5,
        "sw_batch_size": None,
        "mirror": False,
        "attention": False,
        "uncertainty_samples": 0,
        "overwrite": False,
        "model": {"_target_": f"{components}.load", "folder": "@model_dir"},
        "network_def": "$@model.network",
        "inferer": {
            "_target_": f"{components}.settings",
            "device": "@device",
            "overlap": "@overlap",
            "batch_size": "@sw_batch_size",
            "mirror": "@mirror",
            "maps": "@attention",
            "n_samples": "@uncertainty_samples",
        },
        "evaluator": {
            "_target_": f"{components}.BundleSegmenter",
            "model": "@model",
            "config": "@inferer",
            "dataset": "@dataset_dir",
            "output": "@output_dir",
            "overwrite": "@overwrite",
        },
        "run": ["$@evaluator.run()"],
    }


def bundle_metadata(model: TrainedModel) -> dict[str, Any]:
    """Return what MONAI's bundle specification asks for in `metadata.json`."""
    task = model.task
    versions = current_versions(PACKAGES)
    return {
        "version": CROSSMODAL_VERSION,
        "changelog": {CROSSMODAL_VERSION: "exported by ciml-segmenter"},
        "monai_version": versions["monai"],
        "pytorch_version": versions["torch"],
        "numpy_version": versions["numpy"],
        "required_packages_version": {"crossmodal": CROSSMODAL_VERSION},
        "name": f"CIML segmentation: {task.name}",
        "task": task.description,
        "description": (
            "Segments each sub-task from its primary modality and the messages of its auxiliaries;"
            " see docs/README.md. Not for clinical use."
        ),
        "authors": "",
        "copyright": "",
        "intended_use": "Research only.",
        "eval_metrics": dict(model.facts.metrics),
        "network_data_format": _data_format(model),
    }


def _written_files(folder: Path) -> Written | None:
    """Read which files a bundle consists of; `None` if it is none of ours."""
    try:
        content = json_value((folder / METADATA_FILE).read_text(encoding="utf-8"))
        is_own = "crossmodal" in content["required_packages_version"]
        sums = content.get("crossmodal_files", dict.fromkeys(_FILES))
        return dict(sums) if is_own else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


BUNDLE = Ownership("a bundle of `ciml-segmenter export`", METADATA_FILE.as_posix(), _written_files)


def _data_format(model: TrainedModel) -> dict[str, Any]:
    task = model.task

    def part(kind: str, form: str, channels: Iterable[str], **more: object) -> dict[str, Any]:
        names = {str(number): name for number, name in enumerate(channels)}
        return {
            "type": kind,
            "format": form,
            **more,
            "num_channels": len(names),
            "spatial_shape": list(model.patch_size),
            "dtype": "float32",
            "value_range": [],
            "is_patch_data": True,
            "channel_def": names,
        }

    kinds = ", ".join(dict.fromkeys(task.modalities.values()))
    return {
        "inputs": {"image": part("image", "magnitude", task.modalities, modality=kinds)},
        "outputs": {
            s.name: part("probabilities", "segmentation", s.regions) for s in task.subtasks
        },
    }


def _readme(model: TrainedModel) -> str:
    task = model.task
    primaries = "\n".join(
        f"* {' and '.join(subtask.regions)}: {subtask.primary} is primary, auxiliary are"
        f" {', '.join(subtask.auxiliaries) or 'none'}."
        for subtask in task.subtasks
    )
    return f"""# CIML segmentation: {task.name}

{task.description}

{primaries}

The bundle needs the Python package `crossmodal` {CROSSMODAL_VERSION}, which holds the network and
the preprocessing, and `fire` for MONAI's command line. It holds weights as safetensors; loading it
executes no code of its own. Run it in this folder:

    python -m monai.bundle run --config_file configs/inference.json \\
        --dataset_dir /path/to/cohort --output_dir /path/to/results

`--attention True` adds attention and information maps, `--uncertainty_samples 10` uncertainty.
Not for clinical use.
"""
