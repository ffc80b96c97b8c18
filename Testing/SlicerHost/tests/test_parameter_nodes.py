"""What a parameter node refuses: types, values, widgets, names; and how nodes are kept in it."""

import enum
from types import SimpleNamespace
from typing import Annotated, Union

import pytest


class Side(enum.Enum):
    LEFT = 1
    RIGHT = 2


@pytest.fixture
def make_wrapper(scene):
    """Return a function that wraps a new node in a class with one field, `chosen`."""
    from slicer.parameterNodeWrapper import parameterNodeWrapper

    def make(kind, name="chosen"):
        wrapper = type("Parameters", (), {"__annotations__": {name: kind}})
        return parameterNodeWrapper(wrapper)(scene.AddNewNodeByClass("vtkMRMLScriptedModuleNode"))

    return make


@pytest.fixture
def bind(scene):
    """Return a function that binds the field to a widget, or to a new selector."""
    import slicer

    made = []

    def bind(parameters, widget=None, name="chosen"):
        if widget is None:
            widget = slicer.qMRMLNodeComboBox()
            widget.noneEnabled = True
            widget.addEnabled = widget.removeEnabled = False
            widget.setMRMLScene(scene)
        widget.setProperty("SlicerParameterName", name)
        made.append((parameters, parameters.connectGui(SimpleNamespace(widget=widget))))
        return widget

    yield bind
    for parameters, tag in made:
        parameters.disconnectGui(tag)


@pytest.mark.parametrize("kind", [dict, tuple[int, int], list[dict], int | None, bytes])
def test_types_that_cannot_be_kept_are_refused(make_wrapper, kind):
    with pytest.raises(TypeError, match="Unable to create serializer"):
        make_wrapper(kind)


@pytest.mark.parametrize("name", ["connectGui", "getValue", "Modified"])
def test_reserved_names_are_refused(make_wrapper, name):
    with pytest.raises(ValueError, match="reserved name"):
        make_wrapper(str, name)


def test_names_that_the_host_does_not_imitate_are_called_a_gap(make_wrapper):
    from slicer_host.errors import HostGapError

    with pytest.raises(HostGapError, match="Choice"):
        from slicer.parameterNodeWrapper import Choice  # noqa: F401
    with pytest.raises(ImportError):
        from slicer.parameterNodeWrapper import Nothing  # noqa: F401
    with pytest.raises(HostGapError, match="annotations"):
        make_wrapper(Annotated[str, "any"])


@pytest.mark.parametrize(
    ("kind", "value", "error"),
    [
        (int, 1.5, TypeError),
        (str, None, ValueError),
        (bool, "yes", TypeError),
        (float, "1", TypeError),
        (Side, "LEFT", TypeError),
        (list[str], "abc", TypeError),
        (list[str], ["a", 1], TypeError),
    ],
)
def test_values_of_another_kind_are_refused(make_wrapper, kind, value, error):
    parameters = make_wrapper(kind)
    before = parameters.chosen
    with pytest.raises(error):
        parameters.chosen = value
    assert parameters.chosen == before


def test_values_outside_the_limits_are_refused(make_wrapper):
    from slicer.parameterNodeWrapper import Minimum, WithinRange

    for kind, values in ((WithinRange(-1, 5), (-2, 6)), (Minimum(-1), (-2,))):
        parameters = make_wrapper(Annotated[int, kind])
        for value in values:
            with pytest.raises(ValueError, match="within range"):
                parameters.chosen = value
        parameters.chosen = 5
        assert parameters.chosen == 5


def test_widgets_that_cannot_be_bound_are_refused(make_wrapper, bind):
    import ctk
    import qt
    import slicer

    for kind, widget in (
        (str, qt.QSpinBox()), (int, qt.QLineEdit()), (Side, qt.QLineEdit()),
        (list[str], qt.QLineEdit()), (str, ctk.ctkPathLineEdit()), (str, qt.QComboBox()),
        (slicer.vtkMRMLTextNode, qt.QComboBox()),
    ):  # fmt: skip
        with pytest.raises(RuntimeError, match="Unable to create GUI connector"):
            bind(make_wrapper(kind), widget)
    with pytest.raises(RuntimeError, match="unbounded"):
        bind(make_wrapper(float), ctk.ctkSliderWidget())
    with pytest.raises(ValueError, match="Cannot find a param"):
        bind(make_wrapper(str), qt.QLineEdit(), "other")
    with pytest.raises(TypeError, match="abstract"):
        bind(make_wrapper(slicer.vtkMRMLVolumeNode))


def test_lists_write_themselves_back_item_by_item(make_wrapper):
    parameters = make_wrapper(list[str])
    parameters.chosen = ["a", "b"]
    parameters.chosen.append("c")
    parameters.chosen[0] = "x"
    del parameters.chosen[1]
    assert parameters.chosen == ["x", "c"]
    assert parameters.parameterNode.GetParameter("chosen.1") == "c"
    with pytest.raises(TypeError):
        parameters.chosen.append(1)
    assert parameters.chosen == ["x", "c"]


def test_a_union_of_nodes_fills_the_selector_and_is_kept(make_wrapper, bind, scene):
    import slicer

    volume, sequence = slicer.vtkMRMLScalarVolumeNode, slicer.vtkMRMLSequenceNode
    parameters = make_wrapper(Union[volume, sequence, None])  # noqa: UP007
    assert parameters.chosen is None
    selector = bind(parameters)
    assert selector.nodeTypes == ("vtkMRMLScalarVolumeNode", "vtkMRMLSequenceNode")
    vector = scene.AddNewNodeByClass("vtkMRMLVectorVolumeNode")
    series = scene.AddNewNodeByClass("vtkMRMLSequenceNode")
    for node, index in ((vector, 0), (series, 1)):
        selector.setCurrentNode(node)
        assert parameters.chosen is node
        assert parameters.parameterNode.GetParameterNames() == (f"chosen.{index}",)
    parameters.chosen = None
    assert selector.currentNode() is None
    with pytest.raises(TypeError):
        parameters.chosen = scene.AddNewNodeByClass("vtkMRMLTextNode")


def test_a_removed_node_is_none(make_wrapper, scene):
    import slicer

    parameters = make_wrapper(slicer.vtkMRMLScalarVolumeNode)
    parameters.chosen = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    scene.RemoveNode(parameters.chosen)
    assert parameters.chosen is None
