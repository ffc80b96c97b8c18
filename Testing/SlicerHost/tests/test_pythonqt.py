import pytest
from slicer_host import errors
from slicer_host.errors import RefusalError

pytestmark = pytest.mark.usefixtures("scene")


def test_properties_are_plain_attributes():
    import qt

    label = qt.QLabel("text")
    assert label.text == "text"
    label.enabled = False
    assert label.enabled is False
    assert label.name == label.objectName == ""
    with pytest.raises(TypeError, match="not callable"):
        label.text()


def test_property_refuses_values_of_another_kind():
    import qt

    box = qt.QSpinBox()
    box.value = 3.7
    assert box.value == 3
    with pytest.raises(RefusalError, match="does not accept"):
        box.value = "abc"
    with pytest.raises(RefusalError, match="not writable"):
        box.cleanText = "7"


@pytest.mark.parametrize(
    "use",
    [
        lambda qt: setattr(qt.QLabel(), "myValue", 1),
        lambda qt: qt.QLabel().setTextt("x"),
        lambda qt: qt.QLabel().__getattr__("shortcutt"),
        lambda qt: qt.Qt.AlignmentFlag.AlignCenter,
        lambda qt: qt.QPushButton().connect("clickedd()", print),
        lambda qt: qt.QCheckBox().checkStateChanged,
        lambda qt: qt.QLabel.fromString,
        lambda qt: qt.QtCore,
        lambda qt: qt.Signal,
        lambda qt: qt.QTableWidgetItem().setTextColor,
        lambda qt: setattr(qt.QPushButton(), "click", print),
    ],
)
def test_names_that_the_application_has_not_are_refused(use):
    import qt

    with pytest.raises(AttributeError):
        use(qt)


def test_keyword_arguments_are_refused():
    import qt

    with pytest.raises(ValueError, match="wrong arguments"):
        qt.QLabel(text="x")
    with pytest.raises(TypeError):
        qt.QLabel().setText(text="x")


def test_wrong_arguments_are_refused():
    import qt

    with pytest.raises(ValueError, match="Called setText with wrong arguments"):
        qt.QLabel().setText("a", "b")
    with pytest.raises(ValueError, match="Called addWidget with wrong arguments"):
        qt.QVBoxLayout().addWidget("no widget")


def test_enumerators_are_integers():
    import qt

    assert qt.Qt.AlignCenter == 0x84
    assert isinstance(qt.QFrame.HLine, int)
    label = qt.QLabel()
    label.setAlignment(qt.Qt.AlignLeft | qt.Qt.AlignTop)
    assert label.alignment == qt.Qt.AlignLeft | qt.Qt.AlignTop
    label.alignment = qt.Qt.AlignRight
    assert label.alignment == 2
    item = qt.QTableWidgetItem("x")
    item.setFlags(item.flags() & ~qt.Qt.ItemIsEditable)
    assert not item.flags() & qt.Qt.ItemIsEditable
    assert item.data(qt.Qt.DisplayRole) == "x"


def test_lists_come_back_as_tuples():
    import qt

    box = qt.QComboBox()
    box.addItems(["a", "b"])
    completer = qt.QStringListModel(["a", "b"])
    assert completer.stringList() == ("a", "b")
    splitter = qt.QSplitter()
    assert splitter.sizes() == ()
    assert qt.QWidget().children() == ()


def test_numbers_are_converted_as_python_qt_does():
    import qt

    bar = qt.QProgressBar()
    bar.setValue(42.9)
    assert bar.value == 42
    label = qt.QLabel()
    label.setText(5)
    assert label.text == "5"


def test_signals_take_functions_with_fewer_arguments():
    import qt

    button, got = qt.QPushButton(), []
    button.checkable = True
    button.connect("clicked()", lambda: got.append("none"))
    button.connect("clicked(bool)", lambda checked: got.append(checked))
    button.connect("clicked(bool)", lambda: got.append("trimmed"))
    button.clicked.connect(lambda: got.append("object"))
    button.connect("toggled(bool)", lambda *values: got.append(values))
    button.click()
    assert got == [(True,), "none", True, "trimmed", "object"]


def test_signal_with_fewer_arguments_than_the_function_fails():
    import qt

    button = qt.QPushButton()
    button.connect("clicked()", lambda checked: None)
    with errors.expected(TypeError, "missing 1 required"):
        button.click()


def test_disconnect_ends_one_connection_or_all():
    import qt

    button, got = qt.QPushButton(), []

    def first():
        got.append(1)

    def second():
        got.append(2)

    for function in (first, second):
        button.connect("clicked()", function)
    assert button.disconnect("clicked()", first)
    button.click()
    assert got == [2]
    assert not button.disconnect("clicked()", first)
    assert button.clicked.disconnect() is False
    assert button.disconnect("clicked()")
    button.click()
    assert got == [2]


def test_signals_connect_to_slots_of_other_objects():
    import qt

    box, slider = qt.QSpinBox(), qt.QSlider()
    box.connect("valueChanged(int)", slider, "setValue(int)")
    box.value = 7
    assert slider.value == 7
    with pytest.raises(RefusalError, match="No such slot"):
        box.connect("valueChanged(int)", slider, "setNumber(int)")


def test_exception_in_a_slot_is_not_lost():
    import qt

    button = qt.QPushButton()
    button.connect("clicked()", lambda: 1 / 0)
    with errors.expected(ZeroDivisionError):
        button.click()


def test_exception_in_an_observer_is_not_lost(scene):
    node = scene.AddNewNodeByClass("vtkMRMLTextNode")
    tag = node.AddObserver("ModifiedEvent", lambda *_: 1 / 0)
    with errors.expected(ZeroDivisionError):
        node.Modified()
    node.RemoveObserver(tag)


def test_dynamic_properties_can_be_read_after_set_property():
    import qt

    label = qt.QLabel()
    assert label.property("SlicerParameterName") is None
    label.setProperty("SlicerParameterName", "threshold")
    assert label.property("SlicerParameterName") == "threshold"
    assert label.SlicerParameterName == "threshold"


def test_children_are_found_by_name_and_class():
    import qt

    parent = qt.QWidget()
    layout = qt.QVBoxLayout(parent)
    button = qt.QPushButton("x")
    button.objectName = "go"
    layout.addWidget(button)
    assert parent.go == button
    assert parent.findChild(qt.QPushButton, "go") == button
    assert parent.findChildren("QWidget") == (button,)
    assert button.parent() == parent
    assert button.className() == "QPushButton"
    assert button.inherits("QWidget")
    assert not isinstance(button, qt.QWidget)


def test_deleted_objects_say_so():
    import qt

    label = qt.QLabel("x")
    label.delete()
    assert not label
    with pytest.raises(ValueError, match="destroyed"):
        label.text  # noqa: B018


def test_python_classes_override_virtual_methods():
    import qt

    class Filter(qt.QObject):
        def __init__(self):
            qt.QObject.__init__(self)
            self.seen = []

        def eventFilter(self, watched, event):
            self.seen.append((watched.className(), event.type()))
            if event.type() == qt.QEvent.Close:
                event.ignore()
                return True
            return False

    window, guard = qt.QWidget(), Filter()
    window.installEventFilter(guard)
    window.show()
    assert window.close() is False
    assert window.visible
    assert ("QWidget", qt.QEvent.Close) in guard.seen
    window.removeEventFilter(guard)
    assert window.close() is True


def test_delegates_can_paint_and_call_the_base_class():
    import qt

    painted = []

    class Delegate(qt.QStyledItemDelegate):
        def paint(self, painter, option, index):
            painted.append(index.data())
            qt.QStyledItemDelegate.paint(self, painter, option, index)

        def sizeHint(self, option, index):
            return qt.QSize(50, 33)

    table = qt.QTableWidget(1, 1)
    table.setItem(0, 0, qt.QTableWidgetItem("cell"))
    delegate = Delegate(table)
    table.setItemDelegate(delegate)
    table.resizeRowsToContents()
    table.resize(200, 100)
    table.grab()
    assert painted == ["cell"]
    assert table.rowHeight(0) == 34


def test_proxy_models_can_filter_in_python():
    import qt

    class Filter(qt.QSortFilterProxyModel):
        wanted = "b"

        def filterAcceptsRow(self, row, parent):
            return self.wanted in self.sourceModel.index(row, 0, parent).data()

    model = qt.QStringListModel(["abc", "xyz", "b"])
    proxy = Filter()
    proxy.setSourceModel(model)
    assert [proxy.index(row, 0).data() for row in range(proxy.rowCount())] == ["abc", "b"]


def test_an_object_must_outlive_a_signal_of_its_own():
    import qt

    held = [qt.QPushButton()]
    held[0].connect("clicked()", held.clear)
    with errors.expected(RefusalError, "QPushButton lost its last reference within a signal"):
        held[0].click()


def test_deleting_later_does_not_keep_an_object_within_its_signal():
    import qt

    held = [qt.QPushButton()]

    def drop():
        held[0].deleteLater()
        held.clear()

    held[0].connect("clicked()", drop)
    with errors.expected(RefusalError, "lost its last reference"):
        held[0].click()


def test_an_object_that_is_held_until_its_signal_is_over_can_go(wait_until):
    import qt

    gone, held = [], [qt.QPushButton()]
    held[0].connect("destroyed()", lambda: gone.append(True))

    def drop():
        qt.QTimer.singleShot(0, held.pop().deleteLater)

    held[0].connect("clicked()", drop)
    held[0].click()
    wait_until(lambda: gone)


def test_children_may_lose_their_wrapper_within_a_signal():
    import qt

    parent = qt.QWidget()
    held = [qt.QPushButton(parent)]
    held[0].connect("clicked()", held.clear)
    held[0].click()
    assert len(parent.children()) == 1


def test_tool_tips_of_widgets_become_rich_text():
    import qt

    button, action = qt.QPushButton(), qt.QAction(None)
    button.toolTip = action.toolTip = "a < b"
    assert (button.toolTip, action.toolTip) == ("<p>a &lt; b</p>", "a < b")
    button.setToolTip("<b>rich</b>")
    assert button.toolTip == "<b>rich</b>"
    button.setToolTip("")
    assert button.toolTip == ""
