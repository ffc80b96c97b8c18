"""DICOM files as scanners write them, small: images of a patient, plain or odd."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import (
    CTImageStorage,
    EnhancedCTImageStorage,
    EnhancedMRImageStorage,
    ExplicitVRLittleEndian,
    MRImageStorage,
    PositronEmissionTomographyImageStorage,
    generate_uid,
)

CLASSES = {
    "CT": CTImageStorage,
    "MR": MRImageStorage,
    "PT": PositronEmissionTomographyImageStorage,
}
ENHANCED = {"CT": EnhancedCTImageStorage, "MR": EnhancedMRImageStorage}
AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
SAGITTAL = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)
CORONAL = (1.0, 0.0, 0.0, 0.0, 0.0, -1.0)
SHAPE = (6, 10, 12)  # K, J, I
SPACING = (2.0, 1.5, 4.0)  # I, J, K in mm

NAME = "Грицáй^Łucja Ünsal"
# 370 MBq of F-18 one half life before the scan of a patient of 74 kg: SUV is Bq/ml over 2500.
FDG = {
    "PatientWeight": 74.0,
    "Units": "BQML",
    "DecayCorrection": "START",
    "CorrectedImage": ["NORM", "DECY", "ATTN", "SCAT"],
    "SeriesDate": "20240312",
    "SeriesTime": "101949.000000",
    "AcquisitionDate": "20240312",
    "AcquisitionTime": "101949",
}
DOSE = {
    "RadiopharmaceuticalStartTime": "083000",
    "RadionuclideTotalDose": 370e6,
    "RadionuclideHalfLife": 6589.0,
}
FDG_FACTOR = 74.0 * 1000 / (370e6 / 2)

Edit = Callable[[int, Dataset], None]


@dataclass(frozen=True)
class SeriesPlan:
    """A series to be written.

    Attributes:
        modality: DICOM's name of it.
        description: The series description.
        number: The series number.
        patient: ID of the patient.
        study: What tells studies of the patient apart.
        name: The patient's name.
        orientation: Directions of rows and columns.
        origin: Position of the first slice, LPS mm.
        shape: Slices, rows, columns.
        fields: Further fields of every file, by keyword.
        dose: Fields of the radiopharmaceutical.
        seed: Of the voxel values.
    """

    modality: str = "MR"
    description: str = "t1_mprage"
    number: int = 1
    patient: str = "HOSP-471147"
    study: str = "first"
    name: str = NAME
    orientation: Sequence[float] = AXIAL
    origin: Sequence[float] = (-10.0, -7.0, -12.0)
    shape: tuple[int, int, int] = SHAPE
    fields: Mapping[str, Any] = field(default_factory=dict)
    dose: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0

    @property
    def uid(self) -> str:
        """UID of the series, the same for the same plan."""
        words = [self.patient, self.study, self.modality, str(self.number), self.description]
        return str(generate_uid(entropy_srcs=words))

    @property
    def values(self) -> np.ndarray[Any, Any]:
        """Stored values `(K, J, I)`, all different from slice to slice."""
        generator = np.random.default_rng(self.seed + self.number)
        return generator.integers(0, 900, self.shape).astype("<u2")

    @property
    def positions(self) -> np.ndarray[Any, Any]:
        """Position of every slice, LPS mm."""
        axes = np.asarray(self.orientation).reshape(2, 3)
        steps = np.arange(self.shape[0])[:, None] * SPACING[2]
        return np.asarray(self.origin) + steps * np.cross(*axes)


def dataset_of(plan: SeriesPlan, sop_class: str | None = None) -> Dataset:
    """Return a file without image: patient, study, series."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.SOPClassUID = sop_class or CLASSES[plan.modality]
    dataset.PatientName, dataset.PatientID = plan.name, plan.patient
    dataset.PatientBirthDate = "19520229"
    dataset.StudyInstanceUID = generate_uid(entropy_srcs=[plan.patient, plan.study])
    dataset.SeriesInstanceUID = plan.uid
    dataset.FrameOfReferenceUID = generate_uid(entropy_srcs=[plan.patient, plan.study, "frame"])
    dataset.StudyDate = dataset.SeriesDate = "20240312"
    dataset.StudyTime = dataset.SeriesTime = "101949"
    dataset.Modality, dataset.SeriesNumber = plan.modality, plan.number
    dataset.SeriesDescription = plan.description
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.Rows, dataset.Columns = plan.shape[1:]
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit, dataset.PixelRepresentation = 15, 0
    for keyword, value in plan.fields.items():
        setattr(dataset, keyword, value)
    if plan.dose:
        item = Dataset()
        for keyword, value in plan.dose.items():
            setattr(item, keyword, value)
        dataset.RadiopharmaceuticalInformationSequence = Items([item])
    return dataset


def save(dataset: Dataset, path: Path) -> None:
    """Write one file."""
    if "SOPInstanceUID" not in dataset:
        dataset.SOPInstanceUID = generate_uid(entropy_srcs=[str(path.name), str(path.parent)])
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(path, enforce_file_format=True)


def write_series(
    folder: Path, plan: SeriesPlan, edit: Edit | None = None, *, suffix: str = ".dcm"
) -> list[Path]:
    """Write a series, a file per slice, in an order that is not that of the slices.

    Args:
        folder: Where to.
        plan: The series.
        edit: Changes the file of a slice before it is written.
        suffix: Of the files' names.

    Returns:
        The files, by slice.
    """
    paths = []
    n_slices = plan.shape[0]
    for k in range(n_slices):
        dataset = dataset_of(plan)
        dataset.SOPInstanceUID = generate_uid(entropy_srcs=[plan.uid, str(k)])
        dataset.InstanceNumber = n_slices - k
        dataset.ImagePositionPatient = plan.positions[k].tolist()
        dataset.ImageOrientationPatient = list(plan.orientation)
        dataset.PixelSpacing = [SPACING[1], SPACING[0]]
        dataset.SliceThickness = SPACING[2]
        dataset.PixelData = plan.values[k].tobytes()
        if edit is not None:
            edit(k, dataset)
        paths.append(folder / f"IM{(7 * k) % n_slices:03d}_{plan.number}{suffix}")
        save(dataset, paths[-1])
    return paths


def write_enhanced(
    path: Path, plan: SeriesPlan, *, slopes: Sequence[float] = (), order: Sequence[int] = ()
) -> None:
    """Write a series as one file of several frames.

    Args:
        path: The file.
        plan: The series.
        slopes: Rescale slope of every frame; empty for none.
        order: Slice of every frame.
    """
    dataset = dataset_of(plan, ENHANCED[plan.modality])
    slices = list(order) or list(range(plan.shape[0]))
    dataset.NumberOfFrames = len(slices)
    measures, plane = Dataset(), Dataset()
    measures.PixelSpacing, measures.SliceThickness = [SPACING[1], SPACING[0]], SPACING[2]
    plane.ImageOrientationPatient = list(plan.orientation)
    shared = Dataset()
    shared.PixelMeasuresSequence, shared.PlaneOrientationSequence = (
        Items([measures]),
        Items([plane]),
    )
    dataset.SharedFunctionalGroupsSequence = Items([shared])
    frames = []
    for n, k in enumerate(slices):
        place, frame = Dataset(), Dataset()
        place.ImagePositionPatient = plan.positions[k].tolist()
        frame.PlanePositionSequence = Items([place])
        if slopes:
            scale = Dataset()
            scale.RescaleSlope, scale.RescaleIntercept, scale.RescaleType = slopes[n], 0, "US"
            frame.PixelValueTransformationSequence = Items([scale])
        frames.append(frame)
    dataset.PerFrameFunctionalGroupsSequence = Items(frames)
    dataset.PixelData = plan.values[slices].tobytes()
    save(dataset, path)


def pet_plan(**changes: Any) -> SeriesPlan:
    """Return a PET whose SUV can be computed, with changes of fields of the plan."""
    plan = SeriesPlan("PT", "PET AC", 3, fields=FDG, dose=DOSE)
    return replace(plan, **changes)


def ct_plan(**changes: Any) -> SeriesPlan:
    """Return a CT with Hounsfield units, with changes of fields of the plan."""
    fields = {"RescaleSlope": 1, "RescaleIntercept": -1024}
    return replace(SeriesPlan("CT", "Low dose CT", 2, fields=fields), **changes)


def write_patients(folder: Path, n_patients: int = 3) -> None:
    """Write a cohort of PET/CT/MR, a folder per patient that is called by the patient's name."""
    for n in range(n_patients):
        one = {"patient": f"HOSP-47114{n}", "name": f"{NAME}{n}", "seed": 10 * n}
        where = folder / f"{NAME}{n}".replace("^", "_")
        write_series(where / "CT", ct_plan(**one))
        write_series(where / "PET", pet_plan(**one))
        write_series(where / "MR", replace(SeriesPlan(number=4), **one), suffix="")
