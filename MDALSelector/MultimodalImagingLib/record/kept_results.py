"""Results that are kept so that nothing finished is computed again: one file per name.

A file is used only if its key agrees (what the result depends on) and its content is whole. A
result of another key takes the place of the older one, so there are never more files than names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from MultimodalImagingLib.jobs.progress import Reporter
from MultimodalImagingLib.record.atomic_files import remove_unfinished_files
from MultimodalImagingLib.record.checksums import array_checksum, json_checksum
from MultimodalImagingLib.record.tensor_file import (
    TensorFileError,
    read_header,
    read_tensors,
    write_tensors,
)

Tensors = Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class CaseQuestion:
    """What is computed of a case.

    Attributes:
        what: Name of what is computed.
        row: The case.
        settings: What else it depends on; JSON-able.
        others: Other cases that it depends on.
    """

    what: str
    row: int
    settings: object = None
    others: tuple[int, ...] = ()


# Returns what was computed earlier, or lets it be computed and keeps it.
CaseMemo = Callable[[CaseQuestion, Callable[[], Tensors]], Tensors]


def computed(_question: CaseQuestion, make: Callable[[], Tensors]) -> Tensors:
    """Keep nothing, compute it each time: the simplest `CaseMemo`."""
    return make()


class ReportedMemo:
    """Passes the questions of a stage on to a memo, and reports steps as computed or as kept."""

    def __init__(self, memo: CaseMemo, reporter: Reporter) -> None:
        self._memo, self._reporter = memo, reporter
        self._is_computed = False

    def __call__(self, question: CaseQuestion, make: Callable[[], Tensors]) -> Tensors:
        """Ask the memo."""

        def noted() -> Tensors:
            self._is_computed = True
            return make()

        return self._memo(question, noted)

    def end_step(self) -> None:
        """Report a step of the stage; raises `CancelledError` if the user asked to stop."""
        if self._is_computed:
            self._reporter.advance()
        else:
            self._reporter.kept()
        self._is_computed = False


FORMAT_VERSION = 1
_SUFFIX = ".safetensors"
_OWN_NAME = re.compile(rf".+-[0-9a-f]{{10}}{re.escape(_SUFFIX)}")


class KeptResults:
    """Results in a folder of a record's cache, which may be deleted at any time.

    Attributes:
        folder: The folder; made when the first result is kept.
    """

    def __init__(self, folder: Path) -> None:
        """Keep results in a folder."""
        self.folder = folder

    def load(self, name: str, key: str) -> tuple[dict[str, Any], Tensors] | None:
        """Return header and tensors of a name; `None` unless they are whole and of that key."""
        path = self._path(name)
        if not path.is_file():
            return None
        try:
            if read_header(path)["key"] != _full_key(key):
                return None
            header, tensors = read_tensors(path)
            is_whole = header["checksum"] == array_checksum(sorted(tensors.items()))
        except (KeyError, ValueError, TypeError):
            return None
        return (header["content"], tensors) if is_whole else None

    def save(
        self, name: str, key: str, tensors: Tensors, content: Mapping[str, object] | None = None
    ) -> None:
        """Keep tensors, and content that `json` takes, in place of what the name had.

        Raises:
            CrossModalError: If the file cannot be written.
        """
        plain = {part: np.ascontiguousarray(values) for part, values in tensors.items()}
        header = {
            "key": _full_key(key),
            "content": dict(content or {}),
            "checksum": array_checksum(sorted(plain.items())),
        }
        write_tensors(self._path(name), plain, header)

    def keep_only(self, names: Iterable[str]) -> None:
        """Remove the results of all other names, and what killed processes left."""
        wanted = {self._path(name).name for name in names}
        for path in self.folder.glob(f"[!.]*{_SUFFIX}"):
            if path.name not in wanted and _OWN_NAME.fullmatch(path.name) and _is_own(path):
                path.unlink(missing_ok=True)
        remove_unfinished_files(self.folder)

    def _path(self, name: str) -> Path:
        """Name the file; distinct for distinct names, also on case-insensitive disks."""
        slug = re.sub(r"[^A-Za-z0-9._-]+", "_", name)[:60]
        return self.folder / f"{slug}-{json_checksum(name)[:10]}{_SUFFIX}"


def _is_own(path: Path) -> bool:
    try:
        return path.is_file() and not path.is_symlink() and "key" in read_header(path)
    except TensorFileError:
        return False


def _full_key(key: str) -> str:
    return json_checksum([FORMAT_VERSION, key])
