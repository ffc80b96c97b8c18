"""What a run writes down about itself: settings and versions. Nothing that differs between runs."""

from __future__ import annotations

from dataclasses import asdict

from MDALSelectorLib.selection.config import SelectionConfig
from MultimodalImagingLib.preparation.prepared_case import PreprocessingSpec

PACKAGES = ("numpy", "SimpleITK", "torch", "monai", "scikit-learn", "scipy")


def configuration_of(config: SelectionConfig, spec: PreprocessingSpec) -> dict[str, object]:
    """Return the settings that decide on the result; folders are not among them."""
    return {
        "estimation": asdict(config.estimation),
        "strategy_options": asdict(config.options),
        "labelled": config.labelled,
        "accepted": sorted(config.accepted),
        "score_column": config.score_column,
        "modality_patterns": list(config.modality_patterns),
        "spacing_mm": list(spec.spacing_mm),
        "modality_kinds": dict(spec.kinds),
    }
