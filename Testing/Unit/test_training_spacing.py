import numpy as np
import pytest

from CIMLSegmentLib.task.task_io import load_task
from CIMLSegmentLib.training.network_plan import training_spacing
from MultimodalImagingLib.cohorts.cases import Case
from MultimodalImagingLib.errors import CohortError
from MultimodalImagingLib.images.geometry import Grid, Volume
from MultimodalImagingLib.images.stored_image import ImageFile
from MultimodalImagingLib.images.volume_io import write_volume

TASK = load_task("pet-ct")
AXIAL = (1.0, 0, 0, 0, 1.0, 0, 0, 0, 1.0)
SAGITTAL = (0, 0, 1.0, 1.0, 0, 0, 0, -1.0, 0)  # columns: I posterior, J inferior, K left


def case(folder, number, **spacings):
    images = {}
    for modality, (spacing, direction) in spacings.items():
        grid = Grid((4, 5, 6), spacing, (0, 0, 0), direction)
        path = folder / f"{number}-{modality}.nii.gz"
        write_volume(path, Volume(np.zeros((6, 5, 4), dtype=np.float32), grid))
        images[modality] = ImageFile(path)
    return Case(f"case {number}", f"case {number}", images)


def test_median_of_the_primary_images_counts(tmp_path):
    cases = [
        case(tmp_path, n, PET=((x, x, 5.0), AXIAL), CT=((1.0, 1.0, 1.0), AXIAL))
        for n, x in enumerate((4.0, 4.07, 2.0))
    ]
    assert training_spacing(cases, TASK) == (4.0, 4.0, 5.0)


def test_spacing_is_along_anatomical_axes(tmp_path):
    sagittal = case(tmp_path, 0, PET=((1.0, 2.0, 3.0), SAGITTAL))
    assert training_spacing([sagittal], TASK) == (3.0, 1.0, 2.0)


def test_cases_without_a_readable_primary_are_passed_over(tmp_path):
    broken = case(tmp_path, 0, PET=((1.0, 1.0, 1.0), AXIAL))
    broken.images["PET"].path.write_bytes(b"nothing")
    other = case(tmp_path, 1, CT=((1.0, 1.0, 1.0), AXIAL))
    with pytest.raises(CohortError, match="readable images of PET, found none"):
        training_spacing([broken, other], TASK)
    good = case(tmp_path, 2, PET=((3.0, 3.0, 3.0), AXIAL))
    assert training_spacing([broken, other, good], TASK) == (3.0, 3.0, 3.0)
