from typing import TypeVar

from slicer_types import WrappedParameters

P = TypeVar("P", bound=WrappedParameters)

class Minimum:
    def __init__(self, minimum: float) -> None: ...

class WithinRange:
    def __init__(self, minimum: float, maximum: float) -> None: ...

# The class that is decorated says itself what it receives: it derives from `WrappedParameters`.
def parameterNodeWrapper(classtype: type[P]) -> type[P]: ...
