"""The models that come with the program: where they lie, and their names. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from CIMLSegmentLib.model.model_description import DESCRIPTION_NAME

CARD_NAME = "model-card.md"  # what a model that comes with the program says of itself
MODEL_HELP = "folder of a trained model, or the name of one that comes with CrossModal"
# Beside the module, as in the repository and in 3D Slicer; inside the package after `pip install`.
_PACKAGE = Path(__file__).parents[1]
_PLACES = (_PACKAGE.parent / "Resources" / "Models", _PACKAGE / "Models")


def shipped_models() -> Mapping[str, Path]:
    """Return the folder of every model that comes with the program, by its name, sorted."""
    found = (file.parent for place in _PLACES for file in place.glob(f"*/{DESCRIPTION_NAME}"))
    return {folder.name: folder for folder in sorted(found, key=lambda folder: folder.name)}


def model_folder(name_or_path: str) -> Path:
    """Return the folder that a user means: that of a model that comes with the program, or a path.

    A name counts before a folder of that name, as with tasks; `./name` is the folder.
    """
    return shipped_models().get(name_or_path) or Path(name_or_path)
