"""Clicks and keys as a user would give them, for the host and for the application alike.

Only names of PythonQt are used. An action on a widget that a user could not reach (hidden or
disabled) fails.
"""

from __future__ import annotations

from typing import Any

import qt
import slicer


def click(widget: Any, position: tuple[int, int] | None = None, *, double: bool = False) -> None:
    """Press and release the left button over a widget."""
    _check(widget)
    point = _point(widget, position)
    kinds = [qt.QEvent.MouseButtonPress, qt.QEvent.MouseButtonRelease]
    if double:
        kinds += [qt.QEvent.MouseButtonDblClick, qt.QEvent.MouseButtonRelease]
    for kind in kinds:
        buttons = qt.Qt.NoButton if kind == qt.QEvent.MouseButtonRelease else qt.Qt.LeftButton
        _send(widget, _mouse_event(kind, point, widget, qt.Qt.LeftButton, buttons))
    slicer.app.processEvents()


def drag(widget: Any, start: tuple[int, int], end: tuple[int, int]) -> None:
    """Press the left button at one place of a widget and release it at another."""
    _check(widget)
    left, none = qt.Qt.LeftButton, qt.Qt.NoButton
    for kind, place, button, buttons in (
        (qt.QEvent.MouseButtonPress, start, left, left),
        (qt.QEvent.MouseMove, end, none, left),
        (qt.QEvent.MouseButtonRelease, end, left, none),
    ):
        point = qt.QPointF(*place)
        _send(widget, _mouse_event(kind, point, widget, button, buttons))
    slicer.app.processEvents()


def click_cell(table: Any, row: int, column: int, *, double: bool = False) -> None:
    """Click a cell of a table, after scrolling to it."""
    _check(table)
    table.scrollTo(table.model().index(row, column))
    slicer.app.processEvents()
    index = table.model().index(row, column)  # anew: an index does not survive other rows
    center = table.visualRect(index).center()
    click(table.viewport(), (center.x(), center.y()), double=double)


def type_text(widget: Any, text: str, *, end: str = "") -> None:
    """Type into a widget; `end` may be "Return" or "Tab"."""
    _check(widget)
    widget.setFocus()
    for letter in text:
        _press(widget, 0, letter)
    if end:
        _press(widget, getattr(qt.Qt, f"Key_{end}"), "")
    slicer.app.processEvents()


def press(widget: Any, name: str, modifiers: int = 0) -> None:
    """Press one key, by the end of its name in `qt.Qt` ("Down", "Escape", "A")."""
    _check(widget)
    _press(widget, getattr(qt.Qt, f"Key_{name}"), "", modifiers)
    slicer.app.processEvents()


def menu(table: Any, row: int, column: int = 0, *, key: bool = False) -> Any:
    """Open the menu of a row by right click, or of the current row by the menu key; return it."""
    _check(table)
    index = table.currentIndex() if key else table.model().index(row, column)
    table.scrollTo(index)
    slicer.app.processEvents()
    center = table.visualRect(index).center()
    place, reason = qt.QPoint(center.x(), center.y()), qt.QContextMenuEvent.Keyboard
    target = table if key else table.viewport()
    if not key:
        button, point = qt.Qt.RightButton, qt.QPointF(center.x(), center.y())
        for kind in (qt.QEvent.MouseButtonPress, qt.QEvent.MouseButtonRelease):
            held = button if kind == qt.QEvent.MouseButtonPress else qt.Qt.NoButton
            _send(target, _mouse_event(kind, point, target, button, held))
        reason = qt.QContextMenuEvent.Mouse
    _send(target, qt.QContextMenuEvent(reason, place, target.mapToGlobal(place)))
    slicer.app.processEvents()
    found = slicer.app.activePopupWidget()
    assert found is not None, "No menu was shown."
    return found


def choose_entry(shown: Any, text: str) -> None:
    """Click an entry of a menu that is shown."""
    action = next(action for action in shown.actions() if action.text == text)
    if not action.enabled:
        msg = f"The entry {text!r} cannot be chosen: {action.toolTip}"
        raise AssertionError(msg)
    center = shown.actionGeometry(action).center()
    click(shown, (center.x(), center.y()))


def choose(box: Any, text: str) -> None:
    """Choose an entry of a combo box with the keys a user would press."""
    _check(box)
    wanted = box.findText(text)
    if wanted < 0:
        known = ", ".join(box.itemText(row) for row in range(box.count))
        msg = f"Expected the entry {text!r}, found {known}."
        raise AssertionError(msg)
    while box.currentIndex != wanted:
        before = box.currentIndex
        press(box, "Down" if wanted > before else "Up")
        if box.currentIndex == before:
            msg = f"The entry {text!r} could not be reached with the keys."
            raise AssertionError(msg)


def browse(edit: Any, path: str, messages: Any) -> None:
    """Choose a folder with the button of a path edit; the host answers the dialog by itself."""
    messages.files.append(path)
    qt.QTimer.singleShot(100, lambda: _answer(path, messages))
    edit.browse()


def _answer(path: str, messages: Any) -> None:
    """Type the path into the file dialog that waits, in the application."""
    dialog = slicer.app.activeModalWidget()
    if dialog is not None:
        messages.files.clear()
        field = dialog.findChild(qt.QLineEdit, "fileNameEdit")
        field.text = path
        _press(field, qt.Qt.Key_Return, "")


def _check(widget: Any) -> None:
    if not widget.visible or not widget.enabled:
        state = "disabled" if widget.visible else "hidden"
        name = f"{widget.className()} '{widget.objectName}' ({widget.toolTip})"
        msg = f"A user could not use the {state} widget {name}."
        raise AssertionError(msg)


def _point(widget: Any, position: tuple[int, int] | None) -> Any:
    if position is not None:
        return qt.QPointF(*position)
    if widget.className() in {"QCheckBox", "QRadioButton"}:
        return qt.QPointF(8, widget.height / 2)
    if widget.className() == "ctkCollapsibleButton":
        return qt.QPointF(widget.width / 2, 8)
    return qt.QPointF(widget.width / 2, widget.height / 2)


def _mouse_event(kind: int, point: Any, widget: Any, button: int, buttons: int) -> Any:
    place = widget.mapToGlobal(qt.QPoint(int(point.x()), int(point.y())))
    overall = qt.QPointF(place.x(), place.y())
    return qt.QMouseEvent(kind, point, overall, button, buttons, qt.Qt.NoModifier)


def _press(widget: Any, key: int, text: str, modifiers: int = 0) -> None:
    for kind in (qt.QEvent.KeyPress, qt.QEvent.KeyRelease):
        _send(widget, qt.QKeyEvent(kind, key, modifiers or qt.Qt.NoModifier, text))


def _send(widget: Any, event: Any) -> None:
    slicer.app.sendEvent(widget, event)
