"""What PythonQt refuses is refused, and what the application would only print is not lost."""

import pytest
from slicer_host import errors
from slicer_host.errors import HostGapError, RefusalError

pytestmark = pytest.mark.usefixtures("scene")


def test_properties_are_plain_attributes():
    import qt

    label = qt.QLabel("text")
    label.enabled = False
    assert (label.text, label.enabled, label.name) == ("text", False, label.objectName)
    with pytest.raises(TypeError, match="not callable"):
        label.text()


@pytest.mark.parametrize(
    ("set_value", "reason"),
    [
        (lambda qt, _: setattr(qt.QSpinBox(), "value", "abc"), "does not accept"),
        (lambda qt, _: setattr(qt.QSpinBox(), "value", None), "does not accept"),
        (lambda qt, _: setattr(qt.QSpinBox(), "cleanText", "7"), "not writable"),
        (lambda qt, _: setattr(qt.QPushButton(), "click", print), "can not be overwritten"),
        (lambda qt, _: setattr(qt.QLabel(), "myValue", 1), "creating new attributes"),
        (lambda _, ctk: setattr(ctk.ctkPathLineEdit(), "nameFilters", "*.csv"), "QStringList"),
    ],
)
def test_values_that_a_property_does_not_take_are_refused(set_value, reason):
    import ctk
    import qt

    with pytest.raises(RefusalError, match=reason):
        set_value(qt, ctk)


@pytest.mark.parametrize(
    "use",
    [
        lambda qt: qt.QLabel().setTextt("x"),
        lambda qt: qt.QLabel().shortcutt,
        lambda qt: qt.Qt.AlignmentFlag.AlignCenter,
        lambda qt: qt.QPushButton().connect("clickedd()", print),
        lambda qt: qt.QPushButton().disconnect("clickedd()", print),
        lambda qt: qt.QCheckBox().checkStateChanged,
        lambda qt: qt.QSortFilterProxyModel().autoAcceptChildRows,
        lambda qt: qt.QLabel.fromString,
        lambda qt: qt.QtCore,
        lambda qt: qt.Signal,
        lambda qt: qt.QTableWidgetItem().setTextColor,
    ],
)
def test_names_that_the_application_has_not_are_refused(use):
    import qt

    with pytest.raises(AttributeError):
        use(qt)


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda qt, _: qt.QLabel(text="x"), ValueError),
        (lambda qt, _: qt.QLabel().setText(text="x"), TypeError),
        (lambda qt, _: qt.QLabel().setText("a", "b"), ValueError),
        (lambda qt, _: qt.QVBoxLayout().addWidget("no widget"), ValueError),
        (lambda qt, _: qt.QPushButton().connect("clicked()", "no function"), ValueError),
        (lambda _, ctk: ctk.ctkPathLineEdit().browse("no argument"), ValueError),
        (lambda _, ctk: ctk.ctkPathLineEdit(text="x"), ValueError),
    ],
)
def test_wrong_arguments_are_refused(call, error):
    import ctk
    import qt

    with pytest.raises(error, match=r"wrong arguments|keyword argument"):
        call(qt, ctk)


@pytest.mark.parametrize(
    "use",
    [
        lambda qt, ctk, slicer: ctk.ctkRangeWidget,
        lambda qt, ctk, slicer: slicer.qMRMLTableView,
        lambda qt, ctk, slicer: ctk.ctkSliderWidget().tickInterval,
        lambda qt, ctk, slicer: setattr(ctk.ctkSliderWidget(), "tickInterval", 1.0),
        lambda qt, ctk, slicer: slicer.qMRMLNodeComboBox().addNode(),
        lambda qt, ctk, slicer: slicer.qMRMLNodeComboBox().connect(
            "nodeAddedByUser(vtkMRMLNode*)", print
        ),
        lambda qt, ctk, slicer: slicer.qMRMLNodeComboBox().setMRMLScene(slicer.mrmlScene),
        lambda qt, ctk, slicer: slicer.app.coreIOManager().fileType("points.mrk.json"),
        lambda qt, ctk, slicer: slicer.util.loadNodeFromFile("points.csv", "TableFile"),
        lambda qt, ctk, slicer: slicer.util.pip_uninstall("monai"),
        lambda qt, ctk, slicer: qt.QLabel().tr("x"),
        lambda qt, ctk, slicer: qt.QMenu().exec_(),
        lambda qt, ctk, slicer: qt.QInputDialog.getText(None, "Title", "Name:"),
        lambda qt, ctk, slicer: qt.QFileDialog.getOpenFileNames(None, "Title"),
        lambda qt, ctk, slicer: qt.QMessageBox.question(None, "Title", "Sure?"),
    ],
)
def test_what_the_host_lacks_is_called_a_gap_of_the_host(use):
    import ctk
    import qt
    import slicer

    with pytest.raises(HostGapError):
        use(qt, ctk, slicer)


def test_views_that_the_host_lacks_are_called_a_gap(scene):
    import slicer

    manager = slicer.app.layoutManager()
    before = manager.layout
    with errors.expected(HostGapError, "vtkMRMLPlotViewNode"):
        manager.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpPlotView)
    manager.setLayout(before)


def test_enumerators_are_integers_lists_are_tuples_and_classes_are_no_bases():
    import qt

    assert qt.Qt.AlignCenter == 0x84
    label = qt.QLabel()
    label.setAlignment(qt.Qt.AlignLeft | qt.Qt.AlignTop)
    assert label.alignment == qt.Qt.AlignLeft | qt.Qt.AlignTop
    assert qt.QStringListModel(["a", "b"]).stringList() == ("a", "b")
    assert label.inherits("QWidget")
    assert not isinstance(label, qt.QWidget)


def test_signals_take_functions_with_fewer_arguments_but_not_with_more():
    import qt

    button, got = qt.QPushButton(), []
    button.connect("clicked(bool)", lambda: got.append("trimmed"))
    button.clicked.connect(lambda: got.append("object"))
    button.click()
    assert got == ["trimmed", "object"]
    button.connect("clicked()", lambda checked: None)
    with errors.expected(TypeError, "missing 1 required"):
        button.click()


def test_disconnect_ends_one_connection_or_all():
    import qt

    button, got = qt.QPushButton(), []
    for _ in range(2):
        button.connect("clicked()", got.append)
    assert button.disconnect("clicked()", got.append)
    assert button.disconnect("clicked()")
    assert not button.disconnect("clicked()", got.append)
    button.click()
    assert got == []


def test_unknown_slots_are_refused():
    import qt

    box, slider = qt.QSpinBox(), qt.QSlider()
    assert box.connect("valueChanged(int)", slider, "setValue(int)")
    with pytest.raises(RefusalError, match="No such slot"):
        box.connect("valueChanged(int)", slider, "setNumber(int)")


def test_exceptions_in_slots_timers_and_observers_are_not_lost(scene, wait_until):
    import qt

    button, done = qt.QPushButton(), []
    button.connect("clicked()", lambda: 1 / 0)
    with errors.expected(ZeroDivisionError):
        button.click()
    with errors.expected(ZeroDivisionError):
        qt.QTimer.singleShot(0, lambda: done.append(1) or 1 / 0)
        wait_until(lambda: done)
    node = scene.AddNewNodeByClass("vtkMRMLTextNode")
    tag = node.AddObserver("ModifiedEvent", lambda *_: 1 / 0)
    with errors.expected(ZeroDivisionError):
        node.Modified()
    node.RemoveObserver(tag)


def test_an_expected_exception_must_come():
    with pytest.raises(AssertionError, match="Expected one"), errors.expected(ValueError):
        pass


def test_deleted_objects_say_so():
    import qt

    label = qt.QLabel("x")
    label.delete()
    assert not label
    with pytest.raises(ValueError, match="destroyed"):
        label.text  # noqa: B018
    with pytest.raises(RefusalError, match="destroyed"):
        label.text = "y"


def test_exceptions_in_overridden_methods_are_not_lost():
    import qt

    class Window(qt.QWidget):
        def closeEvent(self, event):
            1 / 0  # noqa: B018

    window = Window()
    with errors.expected(ZeroDivisionError):
        window.close()


@pytest.mark.parametrize("deletes_later", [False, True])
def test_an_object_must_outlive_a_signal_of_its_own(deletes_later):
    import qt

    held = [qt.QPushButton()]

    def drop():
        if deletes_later:  # does not keep it
            held[0].deleteLater()
        held.clear()

    held[0].connect("clicked()", drop)
    with errors.expected(RefusalError, "QPushButton lost its last reference within a signal"):
        held[0].click()


def test_an_object_that_is_held_until_its_signal_is_over_can_go(wait_until):
    import qt

    gone, held = [], [qt.QPushButton()]
    held[0].connect("destroyed()", lambda: gone.append(True))
    held[0].connect("clicked()", lambda: qt.QTimer.singleShot(0, held.pop().deleteLater))
    held[0].click()
    wait_until(lambda: gone)


def test_children_may_lose_their_wrapper_within_a_signal():
    import qt

    parent = qt.QWidget()
    held = [qt.QPushButton(parent)]
    held[0].connect("clicked()", held.clear)
    held[0].click()
    assert len(parent.children()) == 1
