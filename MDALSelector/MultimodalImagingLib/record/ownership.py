"""What a program may replace or remove: only what it can prove to be its own.

A folder is a program's own if its marker lies inside, is a real folder, and holds nothing but the
files that the marker names, as they were written. Nothing is written into the folders that hold the
images of a cohort.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from MultimodalImagingLib.errors import UsageError
from MultimodalImagingLib.jobs.texts import listed
from MultimodalImagingLib.record.checksums import file_checksum

RECORD_NAME = ".crossmodal"
_MOST_NAMED = 3
_MTIME_SLACK_S = 2.0  # some file systems count in steps of two seconds

# Path inside the folder to its checksum: `None` where the marker is older than they are, `KNOWN`
# where the file's content says that this program wrote it.
KNOWN = ""
Written = Mapping[str, str | None]


@dataclass(frozen=True)
class Ownership:
    """How a program recognizes a folder that it wrote.

    Attributes:
        title: What the folder is, for example ``"a result of `ciml-segmenter segment`"``.
        marker: Path of the marker inside the folder.
        written: Reads the marker: the other files that were written, with their checksums; `None`
            if the folder has no marker of this program.
    """

    title: str
    marker: str
    written: Callable[[Path], Written | None]

    def is_marked(self, folder: Path) -> bool:
        """Tell whether the marker of the program lies in a folder."""
        return folder.is_dir() and self.written(folder) is not None


def is_free(path: Path) -> bool:
    """Tell whether nothing is lost at a path: nothing is there, or an empty folder."""
    if path.is_symlink() or path.is_file():
        return False
    return not path.exists() or (path.is_dir() and not any(path.iterdir()))


def check_own(folder: Path, ownership: Ownership) -> None:
    """Refuse to replace a folder that the program did not write, or that holds more than it wrote.

    Raises:
        UsageError: If so; the text names what is foreign or changed.
    """
    reason = foreign_reason(folder, ownership)
    if reason:
        msg = f"{folder} was left as it is, because {reason}. Choose another folder for the output."
        raise UsageError(msg)


def check_own_files(files: Mapping[Path, Callable[[bytes], bool]], *, option: str) -> None:
    """Refuse to replace single files that the program did not write.

    Args:
        files: Files that will be written, and how to recognize one of ours by its first bytes.
        option: What the user has to change.

    Raises:
        UsageError: If one is there that is not ours.
    """
    foreign = [path for path, is_own in files.items() if not is_own_file(path, is_own)]
    if foreign:
        names = listed([str(path) for path in foreign], most=_MOST_NAMED)
        msg = (
            f"{names} exists already and was not written by this command, so it was left as it is."
            f" Choose another place with {option}."
        )
        raise UsageError(msg)


def is_own_file(path: Path, is_own: Callable[[bytes], bool]) -> bool:
    """Tell whether a file is ours by its content, empty, or not there."""
    if not path.exists() and not path.is_symlink():
        return True
    try:
        return path.is_file() and ((data := path.read_bytes()) == b"" or is_own(data))
    except OSError:
        return False


def foreign_reason(folder: Path, ownership: Ownership) -> str:
    """Say why a folder is not provably the program's own; empty if it is."""
    if folder.is_symlink():
        return "it is a link to another place"
    if not folder.is_dir():
        return "it is no folder"
    written = ownership.written(folder)
    if written is None:
        return f"it is not {ownership.title}"
    foreign = sorted(set(_files_in(folder)) - {*written, ownership.marker})
    if foreign:
        return f"it also holds {listed(foreign, most=_MOST_NAMED)}, not written by this program"
    changed = sorted(name for name in written if _is_changed(folder, name, written, ownership))
    return (
        f"{listed(changed, most=_MOST_NAMED)} in it changed after this program wrote it"
        if changed
        else ""
    )


def checksums(folder: Path, *, without: Iterable[str] = ()) -> dict[str, str]:
    """Return the SHA-256 of every file of a folder, for its marker."""
    names = sorted(set(_files_in(folder)) - set(without))
    return {name: file_checksum(folder / name) for name in names}


def check_apart(output: Path, images: Iterable[Path], *, option: str = "--output") -> None:
    """Refuse an output that is, lies in or contains a folder with images of a cohort.

    The record, `.crossmodal`, may lie beside images.

    Args:
        output: The folder to write to; need not exist.
        images: Image and label files of the cohort.
        option: What the user has to change.

    Raises:
        UsageError: If so.
    """
    folders = {path.parent.absolute() for path in images}
    above_output = _identities(output, up_to=RECORD_NAME)
    own = _identity(output.resolve())
    for folder in sorted(folders):
        identity = _identity(folder.resolve())
        if identity in above_output or (own is not None and own in _identities(folder)):
            msg = (
                f"Nothing was written to {output}, because it is, lies in or contains {folder},"
                f" which holds images of the cohort. Choose a folder beside the cohort with"
                f" {option}."
            )
            raise UsageError(msg)


def check_beside(output: Path, images: Iterable[Path], *, option: str = "--output") -> None:
    """Refuse an output that is itself the folder of an image; for images of no cohort.

    Raises:
        UsageError: If so.
    """
    own = _identity(output.resolve())
    same = [path for path in images if own is not None and own == _identity(path.resolve().parent)]
    if same:
        msg = (
            f"Nothing was written to {output}, because it holds the image {same[0].name}. Choose"
            f" another folder with {option}."
        )
        raise UsageError(msg)


def check_outside(output: Path, folder: Path, *, holds: str, option: str = "--output") -> None:
    """Refuse an output that is or lies in a folder that holds something else.

    Raises:
        UsageError: If so.
    """
    identity = _identity(folder.resolve())
    if identity is not None and identity in _identities(output):
        msg = (
            f"Nothing was written to {output}, because {folder} holds {holds}. Choose a folder"
            f" elsewhere with {option}."
        )
        raise UsageError(msg)


def _identities(path: Path, *, up_to: str | None = None) -> set[object]:
    """Return what a path and the folders above it are on disk, whatever they are called."""
    found: set[object] = set()
    resolved = path.resolve()
    for folder in (resolved, *resolved.parents):
        if up_to is not None and folder.name.casefold() == up_to:
            break
        found.add(_identity(folder))
    return found - {None}


def _identity(path: Path) -> object:
    try:
        state = path.stat()
    except OSError:  # not there yet
        return None
    return (state.st_dev, state.st_ino) if state.st_ino else os.path.normcase(path)


def _files_in(folder: Path) -> Iterable[str]:
    """Return paths of all entries but folders that hold something; links are not followed."""
    for parent, folders, files in os.walk(folder):
        place = Path(parent)
        links = [name for name in folders if (place / name).is_symlink()]
        for name in (*files, *links):
            yield (place / name).relative_to(folder).as_posix()
        if place != folder and not folders and not files:
            yield place.relative_to(folder).as_posix()


def _is_changed(folder: Path, name: str, written: Written, ownership: Ownership) -> bool:
    path, checksum = folder / name, written[name]
    if path.is_symlink() or checksum == KNOWN:
        return path.is_symlink()
    if not path.is_file():  # a file that is gone cannot be lost
        return path.exists()
    if checksum is not None:
        return file_checksum(path) != checksum
    marked_at = (folder / ownership.marker).stat().st_mtime
    return path.stat().st_mtime > marked_at + _MTIME_SLACK_S
