"""The files of a run: temporary folders, and volumes written where transforms put them.

Folders are removed when they are not needed any more, and at exit. Must not import Qt.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

import SimpleITK as sitk  # noqa: N813
import slicer
from slicer.i18n import tr as _

from MultimodalImagingLib.images.geometry import Volume, image_from_volume
from MultimodalSlicerLib.cohort_nodes import fullName
from MultimodalSlicerLib.volume_nodes import volumeFromNode


class ResultFolders:
    """Makes folders inside one temporary folder, which goes with this object."""

    def __init__(self) -> None:
        self._root: tempfile.TemporaryDirectory[str] | None = None

    def new(self) -> Path:
        """Return a new, empty folder."""
        if self._root is None:
            self._root = tempfile.TemporaryDirectory(prefix="CIMLSegment-")
        return Path(tempfile.mkdtemp(dir=self._root.name))

    def remove(self, path: Path) -> None:
        """Remove a folder of ours, with the folder of the job that it lies in; others are kept.

        A scene from a file may name any folder: only what really lies in ours is removed.
        """
        if self._root is None:
            return
        root, real = Path(self._root.name).resolve(), path.resolve()
        if root in real.parents:
            shutil.rmtree(root / real.relative_to(root).parts[0], ignore_errors=True)


def exportVolumes(nodes: Mapping[str, slicer.vtkMRMLVolumeNode], folder: Path) -> dict[str, Path]:
    """Write volumes where their parent transforms put them; the nodes stay as they are.

    Args:
        nodes: Volume per modality.
        folder: Receives one file per modality; must exist.

    Returns:
        File per modality.

    Raises:
        ValueError: If a volume has no voxels, or the same value everywhere.
        RuntimeError: If a file cannot be written.
    """
    files = {}
    for index, (modality, node) in enumerate(nodes.items(), start=1):
        volume = volumeFromNode(node)
        _checkContent(fullName(node), volume)
        files[modality] = folder / f"image_{index}.nrrd"
        sitk.WriteImage(image_from_volume(volume), str(files[modality]), False)
    return files


def _checkContent(name: str, volume: Volume) -> None:
    if volume.array.min() == volume.array.max():
        text = _("'{name}' has the value {value} everywhere. Choose another volume.")
        raise ValueError(text.format(name=name, value=f"{volume.array.flat[0]:g}"))
