"""One labeled case as training needs it: images and region masks on one grid, in one file.

The file is read patch by patch; nothing has to fit the memory as a whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from CIMLSegmentLib.inference.window_box import WindowBox
from CIMLSegmentLib.model.model_description import Intensities
from MultimodalImagingLib.errors import CrossModalError, ModelError
from MultimodalImagingLib.images.arrays import (
    ByteArray,
    Float32Array,
    LabelArray,
    MaskArray,
    VoxelArray,
)
from MultimodalImagingLib.images.geometry import Grid
from MultimodalImagingLib.record.json_entry import config_from_json
from MultimodalImagingLib.record.tensor_file import (
    TensorFileError,
    open_tensors,
    read_header,
    write_tensors,
)

FORMAT_VERSION = 2
MOST_PLACES = 20_000


class NotPreparedError(Exception):
    """The file is absent, damaged or made from something else."""


@dataclass(frozen=True)
class TrainingCase:
    """A labeled case on disk.

    Attributes:
        case_id: The case.
        patient_id: Cases of one patient are not split between training and validation.
        modalities: Modalities that the case has.
        shape: Voxels of the arrays, `(K, J, I)`.
        spacing_mm: Spacing along `(K, J, I)`, mm.
        regions: Region to its number of voxels, in the order of the task.
        intensities: Per modality, inside the body.
        warnings: What the user should know about the case.
        before: Voxels along `(K, J, I)` that the box around the body begins before the arrays,
            where the image ends.
        after: The same beyond their end.
        path: The file.
    """

    case_id: str
    patient_id: str
    modalities: tuple[str, ...]
    shape: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]
    regions: Mapping[str, int]
    intensities: Mapping[str, Intensities]
    warnings: tuple[str, ...]
    before: tuple[int, int, int] = (0, 0, 0)
    after: tuple[int, int, int] = (0, 0, 0)
    path: Path = Path()

    @property
    def box(self) -> WindowBox:
        """The box around the body on the grid of the arrays, beyond which it may reach."""
        (k, j, i), (dk, dj, di) = self.shape, self.spacing_mm
        grid = Grid((i, j, k), (di, dj, dk), (0.0, 0.0, 0.0), (1, 0, 0, 0, 1, 0, 0, 0, 1))
        parts = zip(self.before, self.shape, self.after, strict=True)
        size = tuple(before + n + after for before, n, after in parts)
        return WindowBox(tuple(-n for n in self.before), size, grid)

    def read(
        self, modalities: Sequence[str], window: tuple[slice, ...]
    ) -> tuple[Float32Array, ByteArray]:
        """Read a window of images and masks.

        Args:
            modalities: Which images, in this order; 0 for a modality that the case lacks.
            window: Slices along `(K, J, I)`, inside the arrays.

        Returns:
            Images `(M, k, j, i)` and region masks `(R, k, j, i)`, 0 or 1.

        Raises:
            CrossModalError: If the file cannot be read any more.
        """
        size = [part.stop - part.start for part in window]
        images = np.zeros((len(modalities), *size), dtype=np.float32)
        try:
            with open_tensors(self.path) as file:
                for channel, modality in enumerate(modalities):
                    if modality in self.modalities:
                        images[channel] = file.get_slice(f"image.{modality}")[window]
                masks = file.get_slice("regions")[(slice(None), *window)]
        except TensorFileError as error:
            raise CrossModalError(self._unreadable(error)) from error
        return images, masks

    def places(self, region: str) -> LabelArray:
        """Return voxels `(n, 3)` of a region, indices `(k, j, i)`; a fixed sample of large ones.

        Raises:
            CrossModalError: If the file cannot be read any more.
        """
        try:
            with open_tensors(self.path) as file:
                return np.asarray(file.get_tensor(f"places.{region}"), dtype=np.int32)
        except TensorFileError as error:
            raise CrossModalError(self._unreadable(error)) from error

    def _unreadable(self, error: Exception) -> str:
        return (
            f"Case {self.case_id}: expected its prepared images in {self.path}, but the file cannot"
            f" be read: {error}. Start again to prepare it anew."
        )


def write_training_case(
    case: TrainingCase,
    images: Mapping[str, Float32Array],
    masks: Mapping[str, MaskArray],
    *,
    key: str,
) -> None:
    """Write a case atomically to its path.

    Args:
        case: What is known of it.
        images: Prepared image per modality, `(K, J, I)`.
        masks: Mask per region, bool, same shape, in the order of the task.
        key: Stands for everything it was made from.
    """
    tensors: dict[str, VoxelArray] = {
        f"image.{name}": image.astype(np.float16) for name, image in images.items()
    }
    tensors["regions"] = np.stack([masks[name] for name in case.regions]).astype(np.uint8)
    tensors |= {f"places.{name}": _places(mask) for name, mask in masks.items()}
    header = asdict(case)
    del header["path"]
    # Region order counts, and JSON objects are written sorted.
    header["regions"] = list(case.regions.items())
    write_tensors(case.path, tensors, {**header, "key": key})


def read_training_case(path: Path, *, key: str) -> TrainingCase:
    """Read what is known of a case, without its arrays.

    Raises:
        NotPreparedError: If the file is absent, damaged, or was made from something else.
    """
    try:
        content = read_header(path)
        found, regions = content.pop("key"), dict(content.pop("regions"))
        case = config_from_json(TrainingCase, {**content, "regions": regions}, where=str(path))
    except (KeyError, ValueError, TypeError, ModelError) as error:
        raise NotPreparedError(str(error)) from error
    if found != key:
        msg = "it was made from other files or settings"
        raise NotPreparedError(msg)
    return replace(case, path=path)


def _places(mask: MaskArray) -> LabelArray:
    places = np.argwhere(mask).astype(np.int32)
    if len(places) <= MOST_PLACES:
        return places
    chosen = np.random.default_rng(0).choice(len(places), MOST_PLACES, replace=False)
    return np.ascontiguousarray(places[np.sort(chosen)])
