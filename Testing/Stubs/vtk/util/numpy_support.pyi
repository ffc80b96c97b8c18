from typing import Any

import numpy as np
import numpy.typing as npt
from vtkmodules.vtkCommonCore import vtkDataArray

def numpy_to_vtk(
    num_array: npt.NDArray[np.generic], deep: bool = False, array_type: int | None = None
) -> vtkDataArray: ...
def vtk_to_numpy(vtk_array: vtkDataArray) -> npt.NDArray[Any]: ...
