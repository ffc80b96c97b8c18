"""Nodes in parameter nodes: kept, and bound to selectors."""

from typing import Union

import pytest


@pytest.fixture
def make_wrapper(scene):
    """Return a function that wraps a new node in a class with one field, `chosen`."""
    from slicer.parameterNodeWrapper import parameterNodeWrapper

    def make(kind):
        wrapper = type("Parameters", (), {"__annotations__": {"chosen": kind}})
        return parameterNodeWrapper(wrapper)(scene.AddNewNodeByClass("vtkMRMLScriptedModuleNode"))

    return make


@pytest.fixture
def bind(scene):
    """Return a function that binds the field to a new selector."""
    from types import SimpleNamespace

    import slicer

    made = []

    def bind(parameters):
        selector = slicer.qMRMLNodeComboBox()
        selector.objectName = "selector"
        selector.setProperty("SlicerParameterName", "chosen")
        selector.noneEnabled = True
        selector.setMRMLScene(scene)
        made.append((parameters, parameters.connectGui(SimpleNamespace(selector=selector))))
        return selector

    yield bind
    for parameters, tag in made:
        parameters.disconnectGui(tag)


def test_a_selector_cannot_be_bound_to_an_abstract_class(make_wrapper, bind):
    import slicer

    with pytest.raises(TypeError, match="abstract"):
        bind(make_wrapper(slicer.vtkMRMLVolumeNode))


def test_a_union_of_nodes_fills_the_selector_and_is_kept(make_wrapper, bind, scene):
    import slicer

    volume, sequence = slicer.vtkMRMLScalarVolumeNode, slicer.vtkMRMLSequenceNode
    parameters = make_wrapper(Union[volume, sequence, None])  # noqa: UP007
    assert parameters.chosen is None
    selector = bind(parameters)
    assert selector.nodeTypes == ("vtkMRMLScalarVolumeNode", "vtkMRMLSequenceNode")
    vector = scene.AddNewNodeByClass("vtkMRMLVectorVolumeNode")
    series = scene.AddNewNodeByClass("vtkMRMLSequenceNode")
    assert selector.nodeCount() == 2
    for node, index in ((vector, 0), (series, 1)):
        selector.setCurrentNode(node)
        assert parameters.chosen is node
        assert parameters.parameterNode.GetParameterNames() == (f"chosen.{index}",)
    parameters.chosen = None
    assert selector.currentNode() is None
    with pytest.raises((TypeError, ValueError)):
        parameters.chosen = scene.AddNewNodeByClass("vtkMRMLTextNode")


def test_a_removed_node_is_none(make_wrapper, scene):
    import slicer

    parameters = make_wrapper(Union[slicer.vtkMRMLScalarVolumeNode, None])  # noqa: UP007
    parameters.chosen = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    scene.RemoveNode(parameters.chosen)
    assert parameters.chosen is None
