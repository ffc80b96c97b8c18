import numpy as np
import pytest


def pixels(image):
    """Return the RGB values of a picture, shape (height, width, 3)."""
    from PySide6.QtGui import QImage

    image = image.convertToFormat(QImage.Format.Format_RGB888)
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine())
    return rows[:, : 3 * image.width()].reshape(image.height(), image.width(), 3).astype(int)


def picture(widget):
    return pixels(widget._raw.image())


@pytest.fixture
def half_bright(scene, make_volume):
    import slicer

    values = np.zeros((20, 20, 20), np.int16)
    values[:, :, 10:] = 100
    volume = make_volume("Half", values)
    volume.SetOrigin(-10, -10, -10)
    volume.GetDisplayNode().AutoWindowLevelOff()
    volume.GetDisplayNode().SetWindowLevelMinMax(0, 100)
    slicer.util.setSliceViewerLayers(background=volume, fit=True)
    return volume


def test_slice_view_shows_the_background_volume(half_bright):
    import slicer

    view = slicer.app.layoutManager().sliceWidget("Red").sliceView()
    shown = picture(view)
    bright = (shown.min(axis=2) > 200).mean(axis=0)
    assert 0.02 < (shown.min(axis=2) > 200).mean() < 0.9
    left, right = np.array_split(bright, 2)
    assert max(left.mean(), right.mean()) > 5 * min(left.mean(), right.mean())


def test_foreground_opacity_mixes_both_volumes(half_bright, make_volume):
    import slicer

    other = make_volume("Bright", np.full((20, 20, 20), 100, np.int16))
    other.SetOrigin(-10, -10, -10)
    other.GetDisplayNode().AutoWindowLevelOff()
    other.GetDisplayNode().SetWindowLevelMinMax(0, 100)
    slicer.util.setSliceViewerLayers(foreground=other, foregroundOpacity=0.5)
    view = slicer.app.layoutManager().sliceWidget("Red").sliceView()
    values = np.unique(picture(view)[..., 0])
    assert any(120 <= value <= 135 for value in values)


def test_segment_outline_and_surface_are_drawn(half_bright):
    import slicer

    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Seg")
    node.CreateDefaultDisplayNodes()
    node.SetReferenceImageGeometryParameterFromVolumeNode(half_bright)
    identity = node.GetSegmentation().AddEmptySegment("a", "tumor", (1.0, 0.0, 0.0))
    mask = np.zeros((20, 20, 20), np.uint8)
    mask[5:15, 5:15, 5:15] = 1
    slicer.util.updateSegmentBinaryLabelmapFromArray(mask, node, identity, half_bright)
    node.CreateClosedSurfaceRepresentation()
    manager = slicer.app.layoutManager()
    red = picture(manager.sliceWidget("Red").sliceView())
    assert ((red[..., 0] - red[..., 1]) > 100).sum() > 50
    view = manager.threeDWidget(0).threeDView()
    view.resetFocalPoint()
    view.resetCamera()
    surface = picture(view)
    assert ((surface[..., 0] - surface[..., 1]) > 60).sum() > 500


def test_pictures_are_the_same_twice(half_bright):
    import slicer

    view = slicer.app.layoutManager().sliceWidget("Green").sliceView()
    assert np.array_equal(picture(view), picture(view))


CUSTOM = """
<layout type="horizontal" split="true">
 <item><view class="vtkMRMLSliceNode" singletontag="CaseA">
  <property name="orientation" action="default">Axial</property>
  <property name="viewlabel" action="default">A</property>
  <property name="viewcolor" action="default">#AA4433</property>
  <property name="viewgroup" action="default">7</property>
 </view></item>
 <item><view class="vtkMRMLSliceNode" singletontag="CaseB">
  <property name="orientation" action="default">Axial</property>
  <property name="viewlabel" action="default">B</property>
  <property name="viewcolor" action="default">#3344AA</property>
  <property name="viewgroup" action="default">7</property>
 </view></item>
</layout>
"""


@pytest.fixture
def two_views(scene):
    import slicer

    manager = slicer.app.layoutManager()
    before = manager.layout
    node = manager.layoutLogic().GetLayoutNode()
    if not node.IsLayoutDescription(6501):
        node.AddLayoutDescription(6501, CUSTOM)
    manager.setLayout(6501)
    yield manager.sliceWidget("CaseA"), manager.sliceWidget("CaseB")
    manager.setLayout(before)


def test_own_layout_makes_its_views(two_views):
    import slicer

    first, second = two_views
    assert first.visible
    assert second.sliceViewLabel == "B"
    assert not slicer.app.layoutManager().sliceWidget("Red").visible
    assert first.mrmlSliceNode().GetViewGroup() == 7
    assert first.mrmlSliceCompositeNode().GetID() != second.mrmlSliceCompositeNode().GetID()


def test_linked_views_move_together(two_views, make_volume):
    first, second = two_views
    volume = make_volume("V", np.arange(8000, dtype=np.int16).reshape(20, 20, 20))
    for widget in two_views:
        composite = widget.mrmlSliceCompositeNode()
        composite.SetBackgroundVolumeID(volume.GetID())
        composite.SetLinkedControl(True)
        composite.SetHotLinkedControl(True)
        widget.fitSliceToBackground()
    first.sliceController().sliceOffsetSlider().value = 4.0
    assert second.sliceLogic().GetSliceOffset() == pytest.approx(4.0)


def test_closing_the_scene_keeps_the_views(two_views):
    import slicer

    slicer.mrmlScene.Clear(0)
    manager = slicer.app.layoutManager()
    assert manager.layout == 6501
    assert manager.sliceWidget("CaseA").mrmlSliceNode().GetScene() is slicer.mrmlScene


def test_views_go_with_their_nodes(scene, census):
    import slicer

    manager = slicer.app.layoutManager()
    node = manager.layoutLogic().GetLayoutNode()

    def use(number):
        text = CUSTOM.replace("CaseA", f"Left{number}").replace("CaseB", f"Right{number}")
        node.AddLayoutDescription(6600 + number, text)
        manager.setLayout(6600 + number)
        widgets = [manager.sliceWidget(f"{side}{number}") for side in ("Left", "Right")]
        nodes = [[w.mrmlSliceNode(), w.mrmlSliceCompositeNode()] for w in widgets]
        manager.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)
        for view, composite in nodes:
            scene.RemoveNode(composite)
            scene.RemoveNode(view)
        assert manager.sliceWidget(f"Left{number}") is None

    use(0)
    before, logics = census(), manager.mrmlSliceLogics().GetNumberOfItems()
    for number in range(1, 5):
        use(number)
    grown = census().grown(before)
    # As in the application, the slice model of a removed view stays in the scene: reuse views.
    assert set(grown) == {
        "vtkMRMLLinearTransformNode", "vtkMRMLModelNode", "vtkMRMLSliceDisplayNode", "observers",
    }  # fmt: skip
    assert manager.mrmlSliceLogics().GetNumberOfItems() == logics
    slicer.mrmlScene.Clear(0)


def make_chart(count=3):
    import slicer

    table = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode", "Scores")
    columns = [np.arange(count, dtype=float), np.arange(count, dtype=float) ** 2]
    slicer.util.updateTableFromArray(table, columns, ["x", "y"])
    series = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLPlotSeriesNode", "Series")
    series.SetAndObserveTableNodeID(table.GetID())
    series.SetXColumnName("x")
    series.SetYColumnName("y")
    series.SetPlotType(series.PlotTypeScatter)
    series.SetLineStyle(series.LineStyleNone)
    series.SetMarkerStyle(series.MarkerStyleSquare)
    series.SetMarkerSize(20)
    series.SetColor(1.0, 0.0, 0.0)
    chart = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLPlotChartNode", "Chart")
    chart.AddAndObservePlotSeriesNodeID(series.GetID())
    chart.SetTitle("Scores")
    chart.SetLegendVisibility(False)
    return table, series, chart


@pytest.fixture
def plot(scene):
    import slicer

    view = slicer.qMRMLPlotView()
    view.setMRMLScene(slicer.mrmlScene)
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLPlotViewNode")
    view.setMRMLPlotViewNode(node)
    view.resize(400, 300)
    view.show()
    yield view, node
    view.setMRMLPlotViewNode(None)
    view.delete()


def test_plot_view_draws_the_points(plot):
    view, node = plot
    _, _, chart = make_chart()
    node.SetPlotChartNodeID(chart.GetID())
    shown = picture(view)
    assert ((shown[..., 0] > 200) & (shown[..., 1] < 80)).sum() > 200


def test_click_on_a_point_tells_its_row(plot):
    from PySide6.QtCore import QPoint, Qt
    from PySide6.QtTest import QTest

    view, node = plot
    _, series, chart = make_chart()
    node.SetPlotChartNodeID(chart.GetID())
    node.SetInteractionMode(node.InteractionModeSelectPoints)
    shown, got = picture(view), []

    def onSelected(identities, selections):
        rows = [selections.GetItemAsObject(i) for i in range(selections.GetNumberOfItems())]
        names = [identities.GetValue(i) for i in range(identities.GetNumberOfValues())]
        got.append(
            (names, [[row.GetValue(j) for j in range(row.GetNumberOfValues())] for row in rows])
        )

    assert view.connect("dataSelected(vtkStringArray*, vtkCollection*)", onSelected)
    red = np.argwhere((shown[..., 0] > 200) & (shown[..., 1] < 80))
    middle = red[abs(red[:, 1] - 205) < 30].mean(axis=0)
    QTest.mouseClick(
        view._raw, Qt.MouseButton.LeftButton, pos=QPoint(int(middle[1]), int(middle[0]))
    )
    assert got[-1] == ([series.GetID()], [[1]])


def test_layout_with_plot_and_table_shows_the_chart(scene):
    import slicer

    table, _, chart = make_chart()
    slicer.modules.plots.logic().ShowChartInLayout(chart)
    manager = slicer.app.layoutManager()
    widget = manager.plotWidget(0)
    assert widget.mrmlPlotViewNode().GetPlotChartNodeID() == chart.GetID()
    assert widget.plotView().chart().GetNumberOfPlots() == 1
    manager.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpTableView)
    selection = slicer.app.applicationLogic().GetSelectionNode()
    selection.SetActiveTableID(table.GetID())
    slicer.app.applicationLogic().PropagateTableSelection()
    assert manager.tableWidget(0).tableView().mrmlTableNode() is table
    manager.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)


def test_volume_rendering_can_be_shown(half_bright):
    import slicer

    logic = slicer.modules.volumerendering.logic()
    display = logic.CreateDefaultVolumeRenderingNodes(half_bright)
    display.SetVisibility(True)
    view = slicer.app.layoutManager().threeDWidget(0).threeDView()
    view.resetFocalPoint()
    view.resetCamera()
    assert picture(view).std() > 5
