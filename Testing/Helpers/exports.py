"""A small cohort whose label maps come round by round, and exports of it."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from phantoms import save_case, save_nifti

from CIMLSegmentLib.__main__ import main

KINDS = {"T1": "t1.nii.gz", "FLAIR": "flair.nii.gz"}
TASK = """{
  "format_version": 1, "name": "glioma", "description": "Two parts in two sequences.",
  "modalities": {"FLAIR": "MR", "T1": "MR"},
  "labels": {"core": 1, "edema": 2, "enhancing": 4},
  "regions": [
    {"name": "whole", "title": "Whole tumor", "labels": [1, 2, 4], "value": 2, "color": [9, 8, 7],
     "terminology": {"category": "SCT^49755003^Morphologically Altered Structure",
                     "type": "SCT^52988006^Lesion", "anatomy": "SCT^12738006^Brain"}},
    {"name": "core", "title": "Core", "labels": [1, 4], "value": 1, "inside": "whole",
     "color": [1, 2, 3],
     "terminology": {"category": "SCT^49755003^Morphologically Altered Structure",
                     "type": "SCT^4147007^Mass", "anatomy": "SCT^12738006^Brain"}},
    {"name": "enhancing", "title": "Enhancing", "labels": [4], "inside": "core",
     "color": [4, 5, 6],
     "terminology": {"category": "SCT^49755003^Morphologically Altered Structure",
                     "type": "SCT^4147007^Mass", "anatomy": "SCT^12738006^Brain"}}
  ],
  "subtasks": [{"name": "all", "primary": "FLAIR", "auxiliaries": ["T1"],
                "regions": ["whole", "core", "enhancing"]}],
  "merge": {"rule": "nested"}
}"""


@dataclass(frozen=True)
class Desk:
    """Folders of a test.

    Attributes:
        folder: Holds all of them.
    """

    folder: Path

    @property
    def cohort(self) -> Path:
        """Cases without label maps."""
        return self.folder / "cohort"

    @property
    def labels(self) -> Path:
        """Label maps so far."""
        return self.folder / "labels"

    @property
    def output(self) -> Path:
        """Where exports go."""
        return self.folder / "raw" / "Dataset501_Glioma"

    def label(self, *cases: str) -> None:
        """Let cases get their label maps."""
        self.labels.mkdir(exist_ok=True)
        for case in cases:
            name = f"{case}.nii.gz"
            shutil.copyfile(self.folder / "truth" / name, self.labels / name)

    def run(self, command: str, *words: object, with_labels: bool = True) -> int:
        """Run `export` or `import` for the cohort and its task."""
        own = ("--task", self.folder / "task.json", "--record", self.folder / "record")
        labels = ("--labels", self.labels) if command == "export" and with_labels else ()
        return main([command, *map(str, (*words, *own, *labels))])


def make_desk(folder: Path, cases: Sequence[str]) -> Desk:
    """Write cases, their label maps elsewhere, and a task."""
    for seed, case in enumerate(cases):
        values = save_case(folder / "cohort" / case, seed, KINDS, label=None)
        save_nifti(folder / "truth" / f"{case}.nii.gz", values)
    (folder / "task.json").write_text(TASK, encoding="utf-8")
    return Desk(folder)
