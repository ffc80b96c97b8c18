"""Where the images of a case lie by their headers, and where they may belong, in full.

Nothing is moved: the used reading and the other one are named with their distance in mm.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from MultimodalImagingLib.cohorts.cases import Case, Problem
from MultimodalImagingLib.errors import CohortError
from MultimodalImagingLib.images.geometry import Grid
from MultimodalImagingLib.images.geometry_checks import (
    Misplacement,
    Verdict,
    case_verdict,
    image_mismatch,
    is_same_place,
    mismatch,
    mismatch_text,
    orientation_text,
    overlap_fraction,
)
from MultimodalImagingLib.images.position import Position, distance_mm
from MultimodalImagingLib.images.stored_image import ImageFile
from MultimodalImagingLib.images.volume_io import read_position

_Positions = Mapping[ImageFile, Position]


@dataclass(frozen=True)
class _Placed:
    """An image or label map of a case, with where it lies."""

    what: str
    file: ImageFile
    position: Position

    @property
    def text(self) -> str:
        return f"The {self.what} {self.file.path.name}"


def place_problems(
    case: Case, grids: Mapping[str, Grid], positions: _Positions
) -> Iterator[Problem]:
    """Yield what is odd about the places of a case's images and label map; the cause comes first.

    Args:
        case: The case.
        grids: Grid of every image, in the order of the cohort.
        positions: Where its files lie; files that are not in it are passed over.
    """
    explained = set()
    for problem in _causes(case, positions):
        explained.add(problem.path)
        yield problem
    has_cause = any(file.path in explained for file in case.images.values())
    if case_verdict(grids)[0] is Verdict.APART and not has_cause:
        yield _apart(case.case_id, tuple(grids))
    label = case.label
    if label is not None and label in positions and label.path not in explained:
        grid = positions[label].grid
        is_empty = grid.size == (1, 1, 1)  # so Slicer writes a segmentation without voxels
        is_apart = not any(overlap_fraction(grid, other) > 0 for other in grids.values())
        if is_apart and not is_empty:
            yield _label_apart(case.case_id, label)


def _causes(case: Case, positions: _Positions) -> Iterator[Problem]:
    images = _images(case, positions)
    for index, image in enumerate(images):
        others = [*images[:index], *images[index + 1 :]]
        yield from _problems(case, image, others, earlier=images[:index])
    yield from label_problems(case, positions)


def label_problems(case: Case, positions: _Positions) -> Iterator[Problem]:
    """Yield what is odd about the place of a case's label map."""
    if case.label is None or case.label not in positions:
        return
    images = _images(case, positions)
    label = _Placed("label map", case.label, positions[case.label])
    yield from _problems(case, label, images, earlier=images)


def read_positions(case: Case, modalities: Collection[str]) -> dict[ImageFile, Position]:
    """Read where a case's label map and its images of some modalities lie.

    Files that cannot be read are left out; reading their voxels says why.
    """
    files = [file for name, file in case.images.items() if name in modalities]
    positions = {}
    for file in [*files, *([] if case.label is None else [case.label])]:
        try:
            positions[file] = read_position(file, is_label=file == case.label)
        except CohortError:
            continue
    return positions


def check_readings(case: Case, positions: _Positions) -> None:
    """Refuse a case whose label and images only meet by the reading that is not used.

    Raises:
        CohortError: If so; the text names both readings.
    """
    if case.label not in positions or case.label is None:
        return
    label = _Placed("label map", case.label, positions[case.label])
    for image in _images(case, positions):
        for one, two in ((image, label), (label, image)):
            other = one.position.other
            if other is not None and _fits(other.grid, two) and not _fits(one.position.grid, two):
                msg = f"Case {case.case_id}: {_two_readings(one, [two])}"
                raise CohortError(msg)


def _images(case: Case, positions: _Positions) -> list[_Placed]:
    return [
        _Placed(f"{name} image", file, positions[file])
        for name, file in case.images.items()
        if file in positions
    ]


def _problems(
    case: Case, one: _Placed, others: list[_Placed], *, earlier: Iterable[_Placed]
) -> Iterator[Problem]:
    for remark in one.position.remarks:
        text = remark if one.file.path.name in remark else f"{one.file.path.name}: {remark}"
        yield _problem(case, one, text)
    if one.position.unit:
        text = f"The header of {one.file.path.name} is in {one.position.unit}s; read as such."
        yield _problem(case, one, text, is_info=True)
    if one.position.other is not None:
        yield _problem(case, one, _two_readings(one, others))
    elif not one.position.is_known:
        is_alone = all(not other.position.is_known for other in others)
        yield _problem(case, one, _no_position(one, others), is_info=is_alone)
    else:
        place = _elsewhere(one, others if one.what == "label map" else list(earlier))
        if place is not None:
            yield _problem(case, one, place)


def _problem(case: Case, one: _Placed, text: str, *, is_info: bool = False) -> Problem:
    return Problem("info" if is_info else "warning", text, case.case_id, one.file.path)


def _two_readings(one: _Placed, others: Iterable[_Placed]) -> str:
    position = one.position
    if position.other is None:
        return ""
    used, other = position.source, position.other
    fitting = [item for item in others if _fits(other.grid, item)]
    fit = ""
    if fitting and not any(_fits(position.grid, item) for item in fitting):
        names = ", ".join(item.file.path.name for item in fitting)
        fit = f" By the {other.name} it lies exactly on {names}, by the {used} it does not."
    name = one.file.path.name
    apart = distance_mm(position.grid, other.grid)
    return (
        f"{one.text} holds two positions that are up to {apart:.3g} mm apart: the"
        f" {position.source}, which is used as in 3D Slicer, and the {other.name}.{fit} Find out"
        f" which is right and store it as both (`fslorient -copysform2qform {name}`, or"
        " -copyqform2sform)."
    )


def _no_position(one: _Placed, others: Iterable[_Placed]) -> str:
    grid = one.position.grid
    matching = [
        item for item in others if item.position.is_known and item.position.grid.size == grid.size
    ]
    belongs = " Save it again with the position of the image that it was made from."
    if matching:
        names = ", ".join(item.file.path.name for item in matching)
        apart = max(distance_mm(grid, item.position.grid) for item in matching)
        belongs = (
            f" It has the size of {names}, is up to {apart:.3g} mm off, and may belong exactly"
            " there: then copy the header of that file to it (`fslcpgeom`)."
        )
    return (
        f"The header of {one.file.path.name} holds no position; its first voxel is taken to lie at"
        f" 0, 0, 0 mm, with axes {orientation_text(grid)}, so left and right may be mixed"
        f" up.{belongs}"
    )


def _elsewhere(one: _Placed, others: list[_Placed]) -> str | None:
    """Say that an image lies elsewhere than one that it could belong on; else `None`."""
    grid = one.position.grid
    known = [item for item in others if item.position.is_known and item.position.other is None]
    if any(_fits(grid, item) for item in known):
        return None
    rule = mismatch if one.what == "label map" else image_mismatch
    found = [(item, found) for item in known if (found := rule(grid, item.position.grid))]
    if not found:
        return None
    other, nearest = min(found, key=lambda pair: pair[1].distance_mm)
    name = other.file.path.name
    is_plain = nearest.kind in (Misplacement.UNPLACED, Misplacement.TRANSPOSED)
    shared = "size" if is_plain else "size and spacing"
    return (
        f"{one.text} has the {shared} of {name}, but {mismatch_text(nearest)}. Either it was really"
        f" made in another place, or it belongs exactly on {name}: then copy the header of that"
        " file to it (`fslcpgeom`, or save it again in 3D Slicer over that image)."
    )


def _fits(grid: Grid, other: _Placed) -> bool:
    return is_same_place(grid, other.position.grid)


def _apart(case_id: str, modalities: tuple[str, ...]) -> Problem:
    message = (
        f"Expected {', '.join(modalities)} in one space, found images that do not overlap anywhere."
        " Check that they belong to the same examination, and register them."
    )
    return Problem("warning", message, case_id)


def _label_apart(case_id: str, label: ImageFile) -> Problem:
    message = (
        f"Expected the label map {label.path.name} in the space of the images, found no overlap"
        " with any of them. Check that it belongs to this case."
    )
    return Problem("warning", message, case_id, label.path)
