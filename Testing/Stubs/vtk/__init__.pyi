from collections.abc import Callable
from typing import TypeVar

from vtkmodules.vtkCommonCore import VTK_OBJECT as VTK_OBJECT
from vtkmodules.vtkCommonCore import reference as reference
from vtkmodules.vtkCommonCore import vtkAbstractArray as vtkAbstractArray
from vtkmodules.vtkCommonCore import vtkCollection as vtkCollection
from vtkmodules.vtkCommonCore import vtkCommand as vtkCommand
from vtkmodules.vtkCommonCore import vtkDoubleArray as vtkDoubleArray
from vtkmodules.vtkCommonCore import vtkIntArray as vtkIntArray
from vtkmodules.vtkCommonCore import vtkStringArray as vtkStringArray
from vtkmodules.vtkCommonMath import vtkMatrix4x4 as vtkMatrix4x4
from vtkmodules.vtkCommonTransforms import vtkGeneralTransform as vtkGeneralTransform

F = TypeVar("F", bound=Callable[..., object])

def calldata_type(data_type: int, /) -> Callable[[F], F]: ...
