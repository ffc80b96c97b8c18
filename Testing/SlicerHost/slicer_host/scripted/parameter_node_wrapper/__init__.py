"""`slicer.parameterNodeWrapper`: the part of it that the host offers.

Fields may be bool, int, float, str, a pathlib class, an Enum, a node class, Optional of a node
class, and lists of bool, int, float or str; annotations may be Default, WithinRange, Minimum,
Maximum, Choice, Exclude, NotNone, IsInstance, Decimals and SingleStep. Everything else is refused
when the class is made.
"""

from slicer_host.scripted.parameter_node_wrapper.connectors import (
    Decimals,
    GuiConnector,
    SingleStep,
    createGuiConnector,
    parameterNodeGuiConnector,
)
from slicer_host.scripted.parameter_node_wrapper.validators import (
    Choice,
    Default,
    Exclude,
    IsInstance,
    Maximum,
    Minimum,
    NotNone,
    Validator,
    WithinRange,
)
from slicer_host.scripted.parameter_node_wrapper.wrapper import (
    SlicerParameterNamePropertyName,
    isParameterNodeWrapper,
    parameterNodeWrapper,
)

__all__ = [
    "Choice",
    "Decimals",
    "Default",
    "Exclude",
    "GuiConnector",
    "IsInstance",
    "Maximum",
    "Minimum",
    "NotNone",
    "SingleStep",
    "SlicerParameterNamePropertyName",
    "Validator",
    "WithinRange",
    "createGuiConnector",
    "isParameterNodeWrapper",
    "parameterNodeGuiConnector",
    "parameterNodeWrapper",
]
