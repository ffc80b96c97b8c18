# Classes of MRML and of Slicer's widgets are wrapped at run time.
from typing import Any

from slicer import packaging as packaging
from slicer import util as util

def __getattr__(name: str) -> Any: ...
