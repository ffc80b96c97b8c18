"""Files beside the images of a cohort in formats that are not read: named, with what to do."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from MultimodalImagingLib.cohorts.cases import Listing, Problem
from MultimodalImagingLib.cohorts.folders import is_folder, is_hidden, list_folder

_CONVERT = "Convert them to .nii.gz"
# Suffix to the format's name and what to do; the longer suffix comes first.
_FORMATS: tuple[tuple[tuple[str, ...], str, str], ...] = (
    ((".mgz", ".mgh"), "FreeSurfer", f"{_CONVERT} (`mri_convert`, or 3D Slicer)."),
    ((".hdr", ".img", ".img.gz"), "Analyze or NIfTI pairs", f"{_CONVERT} (`fslchfiletype`)."),
    ((".dcm", ".ima", ".dicom"), "DICOM", f"{_CONVERT} (`dcm2niix`, or 3D Slicer)."),
    ((".par", ".rec", ".xml.rec"), "Philips PAR/REC", f"{_CONVERT} (`dcm2niix`)."),
    ((".mnc", ".mnc.gz"), "MINC", f"{_CONVERT} (`mnc2nii`)."),
    ((".npy", ".npz"), "NumPy", f"{_CONVERT}, with the position of the image they belong to."),
    ((".h5", ".hdf5", ".mat"), "HDF5 or MATLAB", f"{_CONVERT}, with their position."),
    ((".gipl", ".gipl.gz", ".vtk", ".vti"), "GIPL or VTK", f"{_CONVERT} (3D Slicer)."),
    ((".nrrd.gz", ".mha.gz"), "compressed NRRD or MetaImage", "Decompress them (`gunzip`)."),
    (
        (".nii.bz2", ".nii.xz", ".nii.zip", ".nii.zst", ".nii.7z", ".zip", ".7z", ".rar", ".tar"),
        "archives or other compression",
        "Unpack them; of compressed images only .nii.gz is read.",
    ),
    (
        (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp"),
        "pictures",
        "If they are slices of an image, put them together in one .nii.gz.",
    ),
)
# Pictures are more often screenshots than data.
_UNIMPORTANT = "pictures"


def unread_files(listing: Listing) -> tuple[Problem, ...]:
    """Find files in formats that are not read where the images of a cohort lie.

    Returns:
        One problem per format: a note about pictures, a warning about all else.
    """
    paths = [path for folder in _folders(listing) for path in list_folder(folder, [])]
    return tuple(
        Problem("info" if name == _UNIMPORTANT else "warning", message, None, first)
        for name, message, first in _messages(listing.root, paths)
    )


def unread_hint(root: Path, paths: Iterable[Path]) -> str:
    """Say in a sentence which formats are there that are not read; empty if there are none."""
    return " ".join(message for _, message, _ in _messages(root, list(paths)))


def _messages(root: Path, paths: list[Path]) -> list[tuple[str, str, Path]]:
    found: dict[int, list[Path]] = defaultdict(list)
    for path in paths:
        index = _format_of(path)
        if index is not None and path.is_file():
            found[index].append(path)
    messages = []
    for index, files in sorted(found.items()):
        _, name, advice = _FORMATS[index]
        shown = files[0].relative_to(root) if files[0].is_relative_to(root) else files[0]
        count = "1 file is" if len(files) == 1 else f"{len(files)} files are"
        message = (
            f"{count} in a format that is not read ({name}; for example {shown.as_posix()}) and not"
            f" used. {advice}"
        )
        messages.append((name, message, files[0]))
    return messages


def _format_of(path: Path) -> int | None:
    name = path.name.lower()
    if is_hidden(path):
        return None
    fitting = [
        (len(suffix), index)
        for index, (suffixes, _, _) in enumerate(_FORMATS)
        for suffix in suffixes
        if name.endswith(suffix)
    ]
    return max(fitting)[1] if fitting else None


def _folders(listing: Listing) -> list[Path]:
    """Folders where images of the cohort lie or could lie."""
    with_images = {file.path.parent for file in listing.files}
    below = {path for path in list_folder(listing.root, []) if is_folder(path)}
    folders = {folder for folder in with_images | below if not is_hidden(folder)}
    return sorted(folder for folder in folders if is_folder(folder))
