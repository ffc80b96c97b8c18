"""What lies beside the cases of a cohort: labels are found; other images and formats are named."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from MultimodalImagingLib.cohorts.cases import FoundFile, Listing, Problem, Severity
from MultimodalImagingLib.cohorts.folders import (
    images_in,
    is_folder,
    is_hidden,
    is_result,
    list_folder,
    subfolders,
)
from MultimodalImagingLib.cohorts.label_folder import label_maps_in
from MultimodalImagingLib.cohorts.modality_patterns import LABEL, ModalityPatterns
from MultimodalImagingLib.jobs.texts import counted, listed

_LEVELS = 4
_MOST_FOLDERS = 2_000


def with_labels_beside(listing: Listing, patterns: ModalityPatterns) -> Listing:
    """Add the label maps that lie in a folder of labels beside the cases, matched by name."""
    files: list[FoundFile] = []
    problems: list[Problem] = []
    for folder in _unlisted(listing):
        if patterns.match(folder.name).target != LABEL:
            continue
        found = label_maps_in(folder, listing.case_ids, patterns)
        if found.labels:
            for case, path in found.labels.items():
                where = path.parent.relative_to(listing.root).as_posix()
                files.append(FoundFile(case, path, path.name, is_label=True, folder=where))
            problems.append(_found(folder, len(found.labels), found.unused))
            problems += found.problems
    return replace(listing, files=(*listing.files, *files), problems=(*listing.problems, *problems))


def unused_folders(listing: Listing) -> list[Problem]:
    """Name the folders beside the cases that hold images of which none is used."""
    problems = []
    known = {file.path for file in listing.files} | {problem.path for problem in listing.problems}
    for folder in _unlisted(listing):
        n_results, found = _images_below(folder)
        files = [path for path in found if path not in known]
        if n_results:
            problems.append(_results(folder, n_results))
        if files:
            problems.append(_unused(folder, files))
    loose = [path for path in images_in(listing.root, []) if path not in known]
    return [*problems, *([_loose(loose)] if loose else [])]


def _unlisted(listing: Listing) -> list[Path]:
    """Return the folders directly in the cohort in which no listed file lies."""
    depth = len(listing.root.parts)
    used = {file.path.parts[depth] for file in listing.files if len(file.path.parts) > depth}
    return [path for path in subfolders(listing.root, []) if path.name not in used]


def _images_below(folder: Path) -> tuple[int, list[Path]]:
    """Return the number of result folders below a folder, and all other images."""
    n_results, n_folders, files = 0, 0, []
    level = [folder]
    for _ in range(_LEVELS):
        results = [path for path in level if is_result(path)]
        n_results += len(results)
        level = [path for path in level if path not in results][: _MOST_FOLDERS - n_folders]
        n_folders += len(level)
        files += [path for item in level for path in images_in(item, [])]
        level = [path for item in level for path in subfolders(item, [], root=folder)]
    return n_results, files


def _found(folder: Path, n_labels: int, unused: tuple[Path, ...]) -> Problem:
    message = f"Label maps of {counted(n_labels, 'case')} were found in the folder {folder.name}."
    if unused:
        names = listed([path.name for path in unused])
        files_belong = counted(len(unused), "file", "in it belongs", "in it belong")
        message += f" {files_belong} to no case: {names}."
    return Problem("info", message, None, folder)


def _results(folder: Path, n_results: int) -> Problem:
    message = (
        f"The folder {folder.name} holds {counted(n_results, 'result')} of `ciml-segmenter"
        " segment`, neither cases nor labels."
    )
    return Problem("info", message, None, folder)


def _unused(folder: Path, files: list[Path]) -> Problem:
    files_were = counted(len(files), "file", f"in {folder.name}/ was", f"in {folder.name}/ were")
    message = (
        f"{files_were} not used, for example"
        f" {files[0].relative_to(folder.parent).as_posix()}. If they are label maps of these cases,"
        f" choose them with `--labels {folder.name}` of `ciml-segmenter train`."
    )
    return Problem("warning", message, None, files[0])


def _loose(files: list[Path]) -> Problem:
    message = (
        f"{counted(len(files), 'file', 'belongs', 'belong')} to no case, directly in the cohort's"
        " folder, and not used:"
        f" {listed([path.name for path in files])}."
    )
    return Problem("info", message, None, files[0])


_CONVERT = "Convert them to .nii.gz"
# Suffix to the format's name and what to do; the longer suffix comes first.
_FORMATS: tuple[tuple[tuple[str, ...], str, str], ...] = (
    ((".mgz", ".mgh"), "FreeSurfer", f"{_CONVERT} (`mri_convert`, or 3D Slicer)."),
    ((".hdr", ".img", ".img.gz"), "Analyze or NIfTI pairs", f"{_CONVERT} (`fslchfiletype`)."),
    (
        (".dcm", ".ima", ".dicom"),
        "DICOM",
        "A folder of DICOM files alone is a cohort; beside others, convert them (`dcm2niix`).",
    ),
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
    return tuple(_unread(listing.root, paths))


def unread_hint(root: Path, paths: Iterable[Path]) -> str:
    """Say in a sentence which formats are there that are not read; empty if there are none."""
    return " ".join(problem.message for problem in _unread(root, paths))


def _unread(root: Path, paths: Iterable[Path]) -> Iterator[Problem]:
    found: dict[int, list[Path]] = defaultdict(list)
    for path in paths:
        index = _format_of(path)
        if index is not None and path.is_file():
            found[index].append(path)
    for index, files in sorted(found.items()):
        _, name, advice = _FORMATS[index]
        shown = files[0].relative_to(root) if files[0].is_relative_to(root) else files[0]
        count = "1 file is" if len(files) == 1 else f"{len(files)} files are"
        message = (
            f"{count} in a format that is not read ({name}; for example {shown.as_posix()}) and not"
            f" used. {advice}"
        )
        severity: Severity = "info" if name == _UNIMPORTANT else "warning"
        yield Problem(severity, message, None, files[0])


def _format_of(path: Path) -> int | None:
    fitting = [
        (len(suffix), index)
        for index, (suffixes, _, _) in enumerate(_FORMATS)
        for suffix in suffixes
        if path.name.lower().endswith(suffix)
    ]
    return max(fitting)[1] if fitting and not is_hidden(path) else None


def _folders(listing: Listing) -> list[Path]:
    """Folders where images of the cohort lie or could lie."""
    with_images = {file.path.parent for file in listing.files}
    below = {path for path in list_folder(listing.root, []) if is_folder(path)}
    folders = {folder for folder in with_images | below if not is_hidden(folder)}
    return sorted(folder for folder in folders if is_folder(folder))
