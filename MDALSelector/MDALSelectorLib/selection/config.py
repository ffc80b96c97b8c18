"""What a selection run is asked for, and what it writes down of that. No torch."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from MDALSelectorLib.estimation.config import EstimationConfig
from MDALSelectorLib.pairing.config import PairingConfig
from MDALSelectorLib.selection.budget import Budget
from MDALSelectorLib.strategies import DEFAULT_STRATEGY
from MDALSelectorLib.strategies.base import StrategyOptions
from MultimodalImagingLib.errors import UsageError
from MultimodalImagingLib.preparation.prepared_case import PreprocessingSpec

LabelledRule = Literal["auto", "files", "record"]
LABELLED_RULES: tuple[LabelledRule, ...] = ("auto", "files", "record")


# Packages that compute, whose versions a run writes down.
PACKAGES = ("numpy", "SimpleITK", "torch", "monai", "scikit-learn", "scipy")


@dataclass(frozen=True)
class SelectionConfig:
    """What a selection run is asked for.

    Attributes:
        budget: Cases to suggest, `12` or `20%`.
        strategy: Name of the strategy.
        options: Options of the strategies.
        estimation: How PMI is estimated; its seed is the seed of everything.
        pairing: When the modalities of a case do not seem to belong together.
        output: Folder of the run; `None` for a numbered one in the cohort's record.
        record: Folder of the cohort's record; `None` for the usual place.
        spacing_mm: Working spacing, mm; `None` to choose it from the images.
        labelled: Which cases count as labeled: those that the `record` says; also those whose
            label is among the `files`; or `auto`: the files count unless every case has one.
        accepted: Cases whose pairing the user has confirmed.
        score_column: Column of the manifest that strategy `Score` ranks by.
        modality_patterns: Patterns `PATTERN=NAME` that come before the cohort's table.
        drafts: Folder of results whose uncertainty counts; `None` for those of the record that are
            newest.
        within: Grouping of the cases within which the modality difference is compared.
    """

    budget: str
    strategy: str = DEFAULT_STRATEGY
    options: StrategyOptions = field(default_factory=StrategyOptions)
    estimation: EstimationConfig = field(default_factory=EstimationConfig)
    pairing: PairingConfig = field(default_factory=PairingConfig)
    output: Path | None = None
    record: Path | None = None
    spacing_mm: float | None = None
    labelled: LabelledRule = "auto"
    accepted: tuple[str, ...] = ()
    score_column: str | None = None
    modality_patterns: tuple[str, ...] = ()
    drafts: Path | None = None
    within: str | None = None

    def __post_init__(self) -> None:
        """Reject an invalid spacing."""
        if self.spacing_mm is not None and not 0.1 <= self.spacing_mm <= 50.0:
            msg = (
                f"Expected a working spacing between 0.1 and 50 mm, got {self.spacing_mm}."
                " Give another, or leave it out to choose it from the images."
            )
            raise UsageError(msg)


@dataclass(frozen=True)
class SelectionRequest:
    """What the user asked for.

    Attributes:
        budget: How many cases to suggest.
        strategy: Name of the strategy.
        seed: Seed of everything random.
        options: Options of the strategies.
    """

    budget: Budget
    strategy: str = DEFAULT_STRATEGY
    seed: int = 0
    options: StrategyOptions = field(default_factory=StrategyOptions)


def configuration_of(config: SelectionConfig, spec: PreprocessingSpec) -> dict[str, object]:
    """Return the settings that decide on the result; folders are not among them."""
    return {
        "estimation": asdict(config.estimation),
        "pairing": asdict(config.pairing),
        "strategy_options": asdict(config.options),
        "labelled": config.labelled,
        "accepted": sorted(config.accepted),
        "score_column": config.score_column,
        "within": config.within,
        "modality_patterns": list(config.modality_patterns),
        "spacing_mm": list(spec.spacing_mm),
        "modality_kinds": dict(spec.kinds),
    }
