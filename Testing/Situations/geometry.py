"""Situations: where an image lies by its header, and sentences that name the true cause."""

from __future__ import annotations

import bz2
import gzip
import struct
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
from phantoms import AFFINE, phantom, plain_cohort, save_itk, save_nifti
from situation import Situation

PLACE, CAUSE = "where an image lies", "true cause"
KINDS = ("T1", "FLAIR")
N_VOXELS = 24
INSPECT = ("mdal-selector", "inspect", "{folder}", "--all")
SELECT = (
    *("mdal-selector", "select", "{folder}", "--budget", "2", "--estimator", "gaussian"),
    *("--record", "{out}/record", "--output", "{out}/run"),
)
TRAIN = (
    *("ciml-segmenter", "train", "{folder}", "--task", "single-target", "--primary", "FLAIR"),
    *("--steps", "1", "--features", "4", "--record", "{out}/record", "--output", "{out}/model"),
)

Affine = np.ndarray
Change = Callable[[Path, np.ndarray], object]


def moved(by: tuple[float, float, float]) -> Affine:
    affine = AFFINE.copy()
    affine[:3, 3] += by
    return affine


def sheared(by: float) -> Affine:
    affine = AFFINE.copy()
    affine[1, 2] = 4 * by
    return affine


def cohort(change: Change, *, of: str = "T1", n_cases: int = 2) -> Callable[[Path], object]:
    """Return a builder of a plain cohort in which one file of every case is written otherwise."""

    def build(folder: Path) -> object:
        plain_cohort(folder, n_cases=n_cases, kinds=KINDS)
        for seed in range(n_cases):
            images, label = phantom(seed, kinds=KINDS)
            name = "seg" if of == "label" else of.lower()
            path = folder / f"case{seed:02d}" / f"{name}.nii.gz"
            path.unlink()
            change(path, label if of == "label" else images[of])
        return folder

    return build


def at(affine: Affine, **codes: int) -> Change:
    return lambda path, array: save_nifti(path, array, affine=affine, **codes)


def two_forms(sform: Affine, qform: Affine, codes: tuple[int, int]) -> Change:
    """Codes are those of qform and sform."""

    def change(path: Path, array: np.ndarray) -> None:
        image = nibabel.Nifti1Image(array, sform, dtype=array.dtype)
        image.set_sform(sform, codes[1])
        image.set_qform(qform, codes[0])
        image.header["qform_code"], image.header["sform_code"] = codes
        image.header.set_xyzt_units("mm")
        nibabel.save(image, path)

    return change


def in_unit(unit: str, scale: float) -> Change:
    def change(path: Path, array: np.ndarray) -> None:
        affine = AFFINE.copy()
        affine[:3] *= scale
        image = nibabel.Nifti1Image(array, affine, dtype=array.dtype)
        image.set_qform(affine, 1)
        image.header.set_xyzt_units(unit)
        nibabel.save(image, path)

    return change


def reordered(codes: str) -> Change:
    def change(path: Path, array: np.ndarray) -> None:
        image = nibabel.Nifti1Image(array, AFFINE, dtype=array.dtype)
        wanted = nibabel.orientations.axcodes2ornt(tuple(codes))
        turn = nibabel.orientations.ornt_transform(nibabel.io_orientation(AFFINE), wanted)
        other = image.as_reoriented(turn)
        save_nifti(path, np.asarray(other.dataobj), affine=other.affine)

    return change


def bytes_changed(change: Callable[[bytes], bytes], *, name: str | None = None) -> Change:
    """Write the file and change its uncompressed bytes."""

    def write(path: Path, array: np.ndarray) -> None:
        save_nifti(path, array)
        data = change(gzip.decompress(path.read_bytes()))
        path.unlink()
        (path if name is None else path.with_name(name)).write_bytes(data)

    return write


def negative_pixdim(data: bytes) -> bytes:
    changed = bytearray(data)
    struct.pack_into("<3f", changed, 80, -4.0, 4.0, -4.0)
    return gzip.compress(bytes(changed))


def as_nrrd(header: Callable[[bytes], bytes]) -> Change:
    def write(path: Path, array: np.ndarray) -> None:
        other = save_itk(path.parent / "t1.nrrd", array)
        other.write_bytes(header(other.read_bytes()))

    return write


def without_lines(data: bytes, *starts: bytes) -> bytes:
    head, _, voxels = data.partition(b"\n\n")
    lines = [line for line in head.split(b"\n") if not line.startswith(starts)]
    return b"\n".join(lines) + b"\n\n" + voxels


def as_mha(path: Path, array: np.ndarray) -> None:
    other = save_itk(path.parent / "t1.mha", array)
    data = other.read_bytes()
    other.write_bytes(data.replace(b"AnatomicalOrientation = RAI", b"AnatomicalOrientation = LPI"))


def with_nan(place: str) -> Change:
    def change(path: Path, array: np.ndarray) -> None:
        spoiled = array.astype(np.float32)
        if place == "around":
            spoiled[array < 100] = np.nan
            spoiled[2:-2, 2:-2, 2:-2] = np.nan_to_num(spoiled[2:-2, 2:-2, 2:-2])
        else:
            spoiled[11:13, 11:13, 11:13] = np.inf if place == "infinite inside" else np.nan
        save_nifti(path, spoiled)

    return change


def as_text(text: bytes) -> Change:
    return lambda path, array: path.write_bytes(text)


def as_mgz(path: Path, array: np.ndarray) -> None:
    nibabel.save(nibabel.MGHImage(array, AFFINE), path.with_name("t1.mgz"))


def as_pair(path: Path, array: np.ndarray) -> None:
    nibabel.save(nibabel.Nifti1Pair(array, AFFINE), path.with_name("t1.img"))


def nothing_usable(folder: Path) -> None:
    plain_cohort(folder, n_cases=3, kinds=KINDS)
    for seed in range(3):
        for kind, array in phantom(seed, kinds=KINDS)[0].items():
            with_nan("inside")(folder / f"case{seed:02d}" / f"{kind.lower()}.nii.gz", array)


def small_cohort(folder: Path) -> None:
    plain_cohort(folder, n_cases=12, kinds=KINDS)


_MIRRORED = np.diag([-1.0, -1.0, 1.0, 1.0]) @ AFFINE
_UPSIDE_DOWN = AFFINE @ np.diag([1.0, 1.0, -1.0, 1.0])
_FAR = moved((20, 0, 20))
_OFF = r"off by 20 mm \(0, 0, 20 mm"


def _fine(name: str, change: Change, **options: str) -> Situation:
    build = cohort(change, **options)
    return Situation(name, PLACE, build, INSPECT, says=("No problems",))


def _told(name: str, change: Change, *says: str, of: str = "T1") -> Situation:
    silent = ("No problems", r"\*\* ERROR")
    return Situation(name, PLACE, cohort(change, of=of), INSPECT, says=says, silent_about=silent)


def _cause(name: str, change: Change, *says: str) -> Situation:
    silent = ("intact copy", r"\*\* ERROR", "Traceback")
    return Situation(name, CAUSE, cohort(change), INSPECT, says=says, silent_about=silent)


SITUATIONS = (
    _told("sform-moved", two_forms(AFFINE, _FAR, (1, 2)), r"28.3 mm apart", "sform", "qform"),
    _told("sform-of-code-1-wins", two_forms(_FAR, AFFINE, (1, 1)), r"28.3 mm apart: the sform"),
    _told(
        "qfac-mirrors-qform",
        two_forms(AFFINE, AFFINE @ np.diag([1, 1, -1, 1.0]), (1, 2)),
        "two pos",
    ),
    _told("no-codes", two_forms(AFFINE, AFFINE, (0, 0)), "holds no position", "fslcpgeom"),
    _told("label-without-codes", two_forms(AFFINE, AFFINE, (0, 0)), "no position", of="label"),
    _told("label-20-mm-off", at(moved((0, 0, 20))), _OFF, "belongs exactly", of="label"),
    _told("label-half-a-voxel-off", at(moved((2, 0, 0))), "off by 2 mm", of="label"),
    _told("label-mirrored", at(_MIRRORED), "mirrored", of="label"),
    _told("label-with-identity", at(np.eye(4)), "bare array", of="label"),
    _told("image-with-identity", at(np.eye(4)), "bare array"),
    _told("image-mirrored", at(_MIRRORED), "LPS and RAS"),
    _told("image-elsewhere", at(moved((60, 0, 0))), "off by 60 mm"),
    _told("shear-small", at(sheared(1e-3), qform_code=0), "sheared by 0.057 degrees"),
    _told("gantry-tilt", at(sheared(0.25), qform_code=0), "sheared by 14 degrees", "resample_to"),
    _told("unit-micrometre-by-mistake", in_unit("micron", 1.0), "micrometre", "1000 times larger"),
    _told("unit-metre-by-mistake", in_unit("meter", 1.0), "metre", "1000 times smaller"),
    _told("metres-called-mm", in_unit("mm", 1e-3), "1000 times larger"),
    _told("metres", in_unit("meter", 1e-3), "in metres"),
    _told("nrrd-without-position", as_nrrd(lambda d: without_lines(d, b"space")), "no position"),
    _told(
        "nrrd-without-space",
        as_nrrd(
            lambda d: without_lines(d, b"space:").replace(b"sizes:", b"space dimension: 3\nsizes:")
        ),
        "does not say in which space",
    ),
    _fine(
        "nrrd-in-las",
        as_nrrd(
            lambda d: (
                d.replace(b"left-posterior-superior", b"left-anterior-superior")
                .replace(b"(0,4,0)", b"(0,-4,0)")
                .replace(b"origin: (-62,-62,", b"origin: (-62,62,")
            )
        ),
    ),
    _told("mha-says-two-things", as_mha, "AnatomicalOrientation LPI"),
    _fine("negative-pixdim", bytes_changed(negative_pixdim)),
    _fine("rounding", at(moved((1e-4, -1e-4, 1e-4)))),
    _fine("other-orientation", reordered("PSR")),
    _fine("label-in-other-orientation", reordered("RSP"), of="label"),
    _fine("shear-of-rounding", at(sheared(1e-5))),
    _fine("gzip-named-nii", bytes_changed(gzip.compress, name="t1.nii")),
    _fine("plain-named-gz", bytes_changed(lambda data: data)),
    Situation(
        "train-two-readings",
        PLACE,
        cohort(two_forms(AFFINE, _FAR, (1, 2)), of="FLAIR"),
        (*TRAIN, "--label-values", "1=target,2=target,4=target"),
        exit_code=2,
        says=("By the sform it lies exactly on seg.nii.gz",),
    ),
    Situation(
        "train-label-outside",
        PLACE,
        cohort(at(moved((70, 0, 0))), of="label"),
        (*TRAIN, "--label-values", "1=target,2=target,4=target"),
        exit_code=2,
        says=(r"Case case00.*lie outside of the primary image", "off by 70 mm"),
    ),
    Situation(
        "select-tells-of-places",
        PLACE,
        cohort(at(moved((60, 0, 0))), n_cases=4),
        SELECT,
        exit_code=2,
        says=("off by 60 mm", "4 have images that may not belong together, such as case00"),
    ),
    _cause("git-lfs-pointer", as_text(b"version https://git-lfs.github.com/spec/v1\n"), "lfs pull"),
    _cause("web-page", as_text(b"<!DOCTYPE html><html>Log in</html>" * 20), "web page"),
    _cause("empty-file", as_text(b""), "an empty file"),
    _cause("bzip2-named-gz", bytes_changed(bz2.compress), "bzip2"),
    _cause("mgz-beside", as_mgz, "FreeSurfer", "mri_convert"),
    _cause("hdr-img-beside", as_pair, "Analyze or NIfTI pairs"),
    Situation(
        "nan-around-the-body",
        CAUSE,
        cohort(with_nan("around"), n_cases=4),
        SELECT,
        says=("count as background", "Label next"),
    ),
    Situation(
        "infinities-inside",
        CAUSE,
        cohort(with_nan("infinite inside")),
        (*INSPECT, "--deep"),
        says=("8 voxels with NaN or infinity inside",),
    ),
    Situation(
        "nan-inside-everywhere",
        CAUSE,
        nothing_usable,
        SELECT,
        exit_code=2,
        says=("None of the 3 cases", "8 voxels with NaN or infinity inside", "Set them to 0"),
        silent_about=("flagged",),
    ),
    Situation(
        "too-few-cases",
        CAUSE,
        small_cohort,
        SELECT,
        says=("12 cases have both FLAIR and T1; at least 30 are needed",),
    ),
    Situation(
        "all-labelled",
        CAUSE,
        small_cohort,
        (*SELECT, "--labelled", "files"),
        exit_code=2,
        says=(r"Every case is labeled \(12 cases",),
        silent_about=("flagged", "accept"),
    ),
)
