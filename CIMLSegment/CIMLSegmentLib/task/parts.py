"""The parts of a task: regions, sub-tasks, standard codes and how regions are merged."""

from __future__ import annotations

import re
from dataclasses import dataclass

from MultimodalImagingLib.errors import ModelError

_CODE = re.compile(r"[^\^~]+\^[^\^~]+\^[^\^~]+")


@dataclass(frozen=True)
class Terminology:
    """Standard codes of a region, each as `scheme^code^meaning`, the form that Slicer writes.

    Attributes:
        category: Segmented property category, for example
            `SCT^49755003^Morphologically Altered Structure`.
        type: Segmented property type, for example `SCT^4147007^Mass`.
        anatomy: Anatomic region, `None` where the task does not fix it.
    """

    category: str
    type: str
    anatomy: str | None = None

    def __post_init__(self) -> None:
        """Refuse codes that are not three parts."""
        for code in (self.category, self.type, self.anatomy):
            if code is not None and not _CODE.fullmatch(code):
                msg = (
                    f"Expected a terminology code written as scheme^code^meaning, got {code!r};"
                    " for example SCT^4147007^Mass."
                )
                raise ModelError(msg)


@dataclass(frozen=True, kw_only=True)
class Region:
    """A set of label values that is segmented as one.

    Attributes:
        name: Short name, unique in the task, used in file names.
        title: Display name; that of files where it is not given.
        labels: Label values of a reference map that belong to the region.
        value: Label value that the region paints where no inner region is; 0 until it is known.
        inside: Name of the next larger region that holds this one, `None` for an outermost one.
        color: Red, green, blue, each 0 to 255.
        terminology: Standard codes.
    """

    name: str
    title: str = ""
    labels: tuple[int, ...]
    value: int = 0
    inside: str | None = None
    color: tuple[int, int, int]
    terminology: Terminology

    def __post_init__(self) -> None:
        """Give a region without a title its name as one."""
        object.__setattr__(self, "title", self.title or self.name)


@dataclass(frozen=True)
class Subtask:
    """Regions that one primary modality segments, helped by messages of auxiliaries.

    Attributes:
        name: Unique in the task.
        primary: The modality that holds the main information on the regions.
        auxiliaries: Modalities that may add what the primary lacks, in the task's order.
        regions: Names of the regions, one output channel each.
    """

    name: str
    primary: str
    auxiliaries: tuple[str, ...]
    regions: tuple[str, ...]


@dataclass(frozen=True)
class Merge:
    """How region probabilities become one label map.

    Attributes:
        rule: `nested` paints from outer to inner regions; `disjoint` takes the most probable
            region of each voxel, or none if all are at most 0.5.
        keep_inner_outside_outer: For `nested`: paint an inner region also where its outer region
            is absent, as nnU-Net does; else it is dropped there.
    """

    rule: str = "nested"
    keep_inner_outside_outer: bool = False
