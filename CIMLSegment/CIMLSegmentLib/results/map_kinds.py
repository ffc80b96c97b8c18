"""The kinds of maps that a result can hold: the one table that files, report and panel read.

A new kind is an entry here and its computation in `inference/result_maps.py`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from MultimodalImagingLib.translation import QT_TRANSLATE_NOOP

# Ten support points each of matplotlib's color maps (CC0), from low to high.
COLORS: Mapping[str, tuple[str, ...]] = {
    name: tuple(points.split())
    for name, points in {
        "Inferno": "000004 1b0c41 4a0c6b 781c6d a52c60 cf4446 ed6925 fb9b06 f7d13d fcffa4",
        "Plasma": "0d0887 47039f 7301a8 9c179e bd3786 d8576b ed7953 fb9f3a fdca26 f0f921",
        "Viridis": "440154 482878 3e4989 31688e 26828e 1f9e89 35b779 6ece58 b5de2b fde725",
        "DivergingBlueRed": "063263 256caf 559ec9 a7cfe4 e1ecf3 fae8dd f7b99b de725b b82431 6a011f",
    }.items()
}


@dataclass(frozen=True)
class MapKind:
    """What maps of one kind are and how they are shown.

    Attributes:
        name: Name in files and in `result.json`.
        title: Name for the user.
        meaning: Unit and range as `result.json` states them.
        colors: Key of `COLORS`; Slicer has a color table of the same name.
        choice: Text where the user chooses a kind.
        hint: What the maps show, and what they do not, in sentences.
        heading: Heading of their pictures in the report.
        unit: Unit of its values as legends give it; empty if unitless.
        top: Upper end of the scale; `None` for the largest value of all maps of the kind.
        top_text: The upper end as a legend gives it; empty where it follows from the values.
        has_route: Whether a map belongs to an auxiliary and the primary that it informs.
        has_region: Whether a map belongs to a region.
        is_signed: Whether its scale goes from minus the upper end to the upper end.
    """

    name: str
    title: str
    meaning: str
    colors: str
    choice: str
    hint: str
    heading: str
    unit: str = ""
    top: float | None = None
    top_text: str = ""
    has_route: bool = True
    has_region: bool = True
    is_signed: bool = False


@dataclass(frozen=True)
class MapKey:
    """Which map of a result: the same from the network to the panel.

    Attributes:
        kind: What it shows, a key of `MAP_KINDS`.
        primary: The modality that listened; `None` for uncertainty.
        auxiliary: The modality that told; `None` for uncertainty.
        region: The region that it belongs to; `None` for information, which all regions of a
            primary share.
    """

    kind: str
    primary: str | None = None
    auxiliary: str | None = None
    region: str | None = None

    def title(self, region_title: str = "") -> str:
        """Return the name for the user, for example `Attention CT to PET (Lesion)`.

        No arrow: the fonts of Slicer's views lack it.
        """
        parts = [MAP_KINDS[self.kind].title]
        if self.auxiliary:
            parts.append(f"{self.auxiliary} to {self.primary}")
        if self.region:
            parts.append(f"({region_title or self.region})")
        return " ".join(parts)


_KINDS = (
    MapKind(
        name="influence",
        title=QT_TRANSLATE_NOOP("MapKind", "Influence"),
        unit=QT_TRANSLATE_NOOP("MapKind", "probability"),
        meaning="change of the region's probability, -1 to 1; they add up to the probability with"
        " all messages minus that with none, each blended over the windows; labels come of blended"
        " logits",
        colors="DivergingBlueRed",
        is_signed=True,
        choice=QT_TRANSLATE_NOOP("MapKind", "Influence (change of probability)"),
        hint=QT_TRANSLATE_NOOP(
            "MapKind",
            "How much more (red) or less (blue) likely each voxel is to be the region because of"
            " this auxiliary (Shapley value). Those of all auxiliaries add up to the probability"
            " with all of them minus the one without any, each blended over the windows. Labels"
            " come of blended scores, which differ a little where windows disagree.",
        ),
        heading="Influence: what each auxiliary changed in the prediction (red more, blue less)",
    ),
    MapKind(
        name="information",
        title=QT_TRANSLATE_NOOP("MapKind", "Information"),
        unit=QT_TRANSLATE_NOOP("MapKind", "nats per voxel"),
        meaning="nats per voxel",
        colors="Viridis",
        has_region=False,
        choice=QT_TRANSLATE_NOOP("MapKind", "Information (nats per voxel)"),
        hint=QT_TRANSLATE_NOOP(
            "MapKind", "Information received from the auxiliary, per voxel, in nats."
        ),
        heading="Information received from each auxiliary",
    ),
    MapKind(
        name="attention",
        title=QT_TRANSLATE_NOOP("MapKind", "Attention"),
        meaning="unitless, 0 to 1",
        top=1.0,
        top_text="1",
        colors="Inferno",
        choice=QT_TRANSLATE_NOOP("MapKind", "Attention (0 to 1)"),
        hint=QT_TRANSLATE_NOOP(
            "MapKind",
            "Where the gate let the auxiliary through: 0 closed, 1 open, and 0 in air. An open gate"
            " does not mean that information passed, nor that it mattered: influence shows that.",
        ),
        heading="Attention: where the primary looks at an auxiliary",
    ),
    MapKind(
        name="gradcam",
        title=QT_TRANSLATE_NOOP("MapKind", "Grad-CAM"),
        meaning="unitless, 0 to 1; model attribution, not clinical evidence",
        top=1.0,
        top_text="1",
        colors="Inferno",
        choice=QT_TRANSLATE_NOOP("MapKind", "Grad-CAM (0 to 1)"),
        hint=QT_TRANSLATE_NOOP(
            "MapKind", "Which places of the message raise the score of the region."
        ),
        heading="Grad-CAM: which messages raise the prediction",
    ),
    MapKind(
        name="uncertainty",
        title=QT_TRANSLATE_NOOP("MapKind", "Uncertainty"),
        unit=QT_TRANSLATE_NOOP("MapKind", "nats"),
        meaning="nats, 0 to ln 2",
        top=math.log(2.0),
        top_text="ln 2 = 0.69 nats",
        colors="Plasma",
        has_route=False,
        choice=QT_TRANSLATE_NOOP("MapKind", "Uncertainty (nats)"),
        hint=QT_TRANSLATE_NOOP(
            "MapKind",
            "How uncertain the model is about the region, per voxel: 0 certain, 0.69 undecided.",
        ),
        heading="Uncertainty of each region",
    ),
    MapKind(
        name="probability",
        title=QT_TRANSLATE_NOOP("MapKind", "Probability"),
        meaning="unitless, 0 to 1; of the model, before regions are merged",
        top=1.0,
        top_text="1",
        colors="Viridis",
        has_route=False,
        choice=QT_TRANSLATE_NOOP("MapKind", "Probability (0 to 1)"),
        hint=QT_TRANSLATE_NOOP(
            "MapKind",
            "The model's probability of the region, per voxel, before regions are merged. It need"
            " not be calibrated.",
        ),
        heading="Probability of each region",
    ),
)
MAP_KINDS: Mapping[str, MapKind] = {kind.name: kind for kind in _KINDS}
