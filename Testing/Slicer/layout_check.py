"""Finds what is squashed, overlaps, sticks out or is cut off in a panel, and what moves.

For the host and for the application alike: only names of PythonQt are used.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import Any

import ctk
import qt
import slicer

# Widgets whose parts Qt and CTK lay out themselves.
WHOLE = (
    *("QComboBox", "QAbstractSpinBox", "QAbstractItemView", "QTabBar", "QPlainTextEdit"),
    *(
        "ctkPathLineEdit",
        "ctkSliderWidget",
        "qMRMLNodeComboBox",
        "qMRMLPlotView",
        "QAbstractSlider",
    ),
)
COMBO_EXTRA = 22  # pixels of a combo box that are not for its text, at least
CELL_EXTRA = 8  # the same of a cell of a table
SLACK = 2  # pixels; a form that wraps its rows lets fields be that much too narrow
MAX_ROWS = 12  # of a table whose cells are looked at
LEAST_CONTRAST = 3.0  # of text and what is behind it, the least of WCAG 2.2 for what is not small
STYLES = {False: "Light Slicer", True: "Dark Slicer"}
Place = tuple[int, int]


def show_at(panel: Any, width: int) -> None:
    """Give the dock of the panel a width in pixels, and let everything settle."""
    module_panel(panel).setFixedWidth(width)
    settle()


def module_panel(panel: Any) -> Any:
    """Return the widget of the application that panels are shown in."""
    widget = panel.parent
    while not widget.inherits("QScrollArea"):
        widget = widget.parentWidget()
    return widget.parentWidget()


def narrowest(panel: Any) -> int:
    """Return the smallest width in pixels that the application lets the panel have."""
    settle()
    return int(module_panel(panel).minimumSizeHint.width())


def set_font(panel: Any, point_size: float) -> None:
    """Use a font of another size everywhere, as after a start of the application with it."""
    font = qt.QApplication.font()
    font.setPointSizeF(point_size)
    qt.QApplication.setFont(font)
    settle()
    fresh = ctk.ctkCollapsibleButton()
    fresh.text = "X"
    height = fresh.contentsMargins().top()  # the section takes it when it is made
    for widget in descendants(panel.parent, visible_only=False):
        if widget.className() == "ctkCollapsibleButton":
            widget.setContentsMargins(0, height, 0, 0)
        elif widget.inherits("QComboBox") or widget.inherits("QAbstractSpinBox"):
            slicer.app.sendEvent(widget, qt.QEvent(qt.QEvent.StyleChange))  # keep their least size
    settle()
    for widget in descendants(panel.parent, visible_only=False):
        widget.updateGeometry()  # some keep what they asked for before
    settle()


def set_theme(host: Any, *, is_dark: bool) -> None:
    """Give host or application its light or its dark theme."""
    from slicer_host import in_application

    if in_application.is_real_application():
        slicer.app.setStyle(STYLES[is_dark])
        slicer.app.setPalette(slicer.app.style().standardPalette())
    else:
        from slicer_host import theme

        theme.apply(host.application, dark=is_dark)
    settle()


def settle() -> None:
    """Let all layouts get their sizes."""
    for _round in range(6):
        slicer.app.processEvents()


def descendants(widget: Any, *, visible_only: bool = True) -> Iterator[Any]:
    """Yield the widgets in a widget; those that are laid out as a whole without their parts."""
    for child in children(widget, visible_only=visible_only):
        yield child
        if not any(child.inherits(name) for name in WHOLE):
            yield from descendants(child, visible_only=visible_only)


def children(widget: Any, *, visible_only: bool = True) -> list[Any]:
    """Return the widgets whose parent a widget is."""
    found = (child for child in widget.children() if child.isWidgetType())
    shown = (c for c in found if not c.isWindow() and (c.visible or not visible_only))
    return [c for c in shown if not c.objectName.startswith("qt_scrollarea_")]


def faults(panel: Any) -> list[str]:
    """Return what a user would see amiss, one sentence each."""
    root, found = panel.parent, []
    for widget in [root, *descendants(root)]:
        found += [*squashed(widget), *cut_off(widget), *unreadable(widget)]
        if not any(widget.inherits(name) for name in WHOLE):
            found += [*overlaps(widget), *outside(widget)]
    area = root.parentWidget().parentWidget()
    if root.width > area.width:
        found.append(f"The panel is {root.width} px wide, its place {area.width} px.")
    return found


def name_of(widget: Any) -> str:
    """Return a name by which a widget is found in the sources."""
    parent = widget.parentWidget()
    own = widget.objectName or widget.className()
    return own if widget.objectName or parent is None else f"{name_of(parent)}/{own}"


def squashed(widget: Any) -> list[str]:
    """Tell whether a widget is smaller than it needs to be."""
    need = required(widget)
    found = []
    for side, has, needs in (
        ("wide", widget.width, need[0]),
        ("high", widget.height, need[1]),
    ):
        if has < needs - SLACK:
            found.append(f"{name_of(widget)} is {has} of {needs} px {side}.")
    return found


def required(widget: Any) -> Place:
    """Return the least width and height of a widget, in pixels, at its present width."""
    hint, least = widget.minimumSizeHint, widget.minimumSize
    width = least.width() or hint.width()
    height = least.height() or hint.height()
    if widget.inherits("QLabel") and widget.wordWrap:
        width = 0  # see `cut_off`
        height = max(least.height(), widget.heightForWidth(widget.width) if widget.text else 0)
    elif widget.hasHeightForWidth():
        height = 0  # its parts are looked at
    policy = widget.sizePolicy
    ignored = qt.QSizePolicy.Ignored
    if policy.horizontalPolicy() == ignored:
        width = least.width()
    if policy.verticalPolicy() == ignored:
        height = least.height()
    return min(width, widget.maximumWidth), min(height, widget.maximumHeight)


def overlaps(widget: Any) -> list[str]:
    """Tell which widgets in a widget lie over each other."""
    parts = [part for part in children(widget) if part.width > 0 and part.height > 0]
    return [
        f"{name_of(first)} and {name_of(second)} overlap."
        for index, first in enumerate(parts)
        for second in parts[index + 1 :]
        if first.geometry.intersects(second.geometry)
    ]


def outside(widget: Any) -> list[str]:
    """Tell which widgets stick out of the widget that they are in; those that scroll may."""
    parent = widget.parentWidget()
    scrolls = parent is not None and parent.inherits("QScrollArea")
    found = []
    for part in children(widget):
        if part.className() == "ctkSizeGrip":
            continue  # CTK itself places it a pixel over the edge
        box = part.geometry
        isOut = box.left() < 0 or box.right() >= widget.width
        if not scrolls:
            isOut = isOut or box.top() < 0 or box.bottom() >= widget.height
        if isOut:
            found.append(f"{name_of(part)} sticks out of {name_of(widget)}.")
    return found


def cut_off(widget: Any) -> list[str]:
    """Tell which texts of a widget cannot be read whole, not in a tool tip either."""
    if widget.inherits("QLabel"):
        texts = cut_words(widget)
    elif widget.inherits("QComboBox"):
        texts = cut_choice(widget, widget)
    elif widget.inherits("qMRMLNodeComboBox"):
        texts = cut_choice(widget.findChild("QComboBox"), widget)
    elif widget.inherits("QTableView"):
        texts = [*cut_titles(widget), *cut_cells(widget)]
    else:
        texts = []
    return [f"{name_of(widget)} cuts {text!r} off." for text in texts]


def cut_words(label: Any) -> list[str]:
    """Return the words that are wider than a label that wraps its text."""
    if not label.wordWrap:
        return []
    metrics = label.fontMetrics()
    words = [part for word in label.text.split() for part in re.split(r"(?<=[/-])", word)]
    cut = [word for word in words if metrics.horizontalAdvance(word) > label.width]
    return [word for word in cut if word not in plain(label.toolTip)]


def cut_choice(box: Any, widget: Any) -> list[str]:
    """Return the text of a combo box if it does not fit."""
    text = box.currentText
    room = box.width - COMBO_EXTRA
    fits = box.fontMetrics().horizontalAdvance(text) <= room
    told = plain(widget.toolTip) + plain(box.toolTip)
    return [] if fits or box.isEditable() or text in told else [text]


def cut_titles(table: Any) -> list[str]:
    """Return the titles of columns that do not fit."""
    header, model, found = table.horizontalHeader(), table.model(), []
    if model is None or not header.visible:
        return []
    for column in range(model.columnCount()):
        title = str(model.headerData(column, qt.Qt.Horizontal) or "")
        told = str(model.headerData(column, qt.Qt.Horizontal, qt.Qt.ToolTipRole) or "")
        isWhole = header.isSectionHidden(column) or title in plain(told)
        metrics = header.fontMetrics()
        need = max(metrics.horizontalAdvance(line) for line in title.split("\n")) + CELL_EXTRA
        if not isWhole and header.sectionSize(column) < need:
            found.append(title)
    return found


def cut_cells(table: Any) -> list[str]:
    """Return the texts of cells that do not fit."""
    model, found = table.model(), []
    if model is None:
        return []
    metrics = table.fontMetrics()
    for row in range(min(model.rowCount(), MAX_ROWS)):
        for column in range(model.columnCount()):
            index = model.index(row, column)
            text = str(model.data(index) or "")
            told = plain(str(model.data(index, qt.Qt.ToolTipRole) or ""))
            need = metrics.horizontalAdvance(text) + CELL_EXTRA
            isWhole = table.isColumnHidden(column) or need <= table.columnWidth(column)
            if not isWhole and text not in told:
                found.append(text)
    return found


def unreadable(widget: Any) -> list[str]:
    """Tell whether the text of a widget has hardly another color than what is behind it."""
    palette = widget.palette
    if not widget.enabled:
        return []
    if widget.inherits("QTableView"):
        behind = palette.color(qt.QPalette.Base)
        texts = {
            text: (color or palette.color(qt.QPalette.Text), over(ground, behind))
            for text, color, ground in cells(widget)
        }
    elif widget.inherits("QLabel") or widget.inherits("QAbstractButton"):
        ground = palette.color(widget.backgroundRole())
        texts = {widget.text: (palette.color(widget.foregroundRole()), ground)}
    else:
        texts = {}
    pale = [text for text, colors in texts.items() if text and contrast(*colors) < LEAST_CONTRAST]
    return [f"{name_of(widget)} shows {text!r} in hardly another color." for text in pale]


def cells(table: Any) -> Iterator[tuple[str, Any, Any]]:
    """Yield text, color and background of cells; `None` for colors of the theme."""
    model = table.model()
    for row in range(min(model.rowCount(), MAX_ROWS) if model is not None else 0):
        for column in range(model.columnCount()):
            index = model.index(row, column)
            roles = (qt.Qt.ForegroundRole, qt.Qt.BackgroundRole)
            color, ground = (color_of(model.data(index, role)) for role in roles)
            yield str(model.data(index) or ""), color, ground


def color_of(brush: Any) -> Any:
    """Return the color of a brush or color that a model has given; `None` without one."""
    made = None if brush is None else qt.QBrush(brush)
    return None if made is None or made.style() == qt.Qt.NoBrush else made.color()


def over(ground: Any, behind: Any) -> Any:
    """Return the color of a background that may let through what is behind it."""
    if ground is None:
        return behind
    part = ground.alphaF()
    mixed = [
        part * getattr(ground, name)() + (1.0 - part) * getattr(behind, name)()
        for name in ("red", "green", "blue")
    ]
    return qt.QColor(*(round(channel) for channel in mixed))


def contrast(first: Any, second: Any) -> float:
    """Return the contrast ratio of two colors, 1 to 21 (WCAG 2.2)."""
    lights = sorted(luminance(color) for color in (first, second))
    return float((lights[1] + 0.05) / (lights[0] + 0.05))


def luminance(color: Any) -> float:
    """Return the relative luminance of a color in sRGB, 0 to 1."""
    channels = (color.redF(), color.greenF(), color.blueF())
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def plain(tool_tip: str) -> str:
    """Return a tool tip without markup."""
    return html.unescape(re.sub(r"<[^>]*>", "", tool_tip.replace("<br>", "\n")))


def places(panel: Any) -> dict[str, Place]:
    """Return top and left of the visible widgets that have a name, in the panel."""
    root, found = panel.parent, {}
    for widget in descendants(root):
        if widget.objectName and not widget.objectName.startswith("qt_"):
            corner = widget.mapTo(root, qt.QPoint(0, 0))
            found[widget.objectName] = (corner.y(), corner.x())
    return found


def moved(before: dict[str, Place], after: dict[str, Place]) -> list[str]:
    """Return the widgets that were seen before and are now elsewhere, or are not seen."""
    return [
        f"{name}: {place[0]} to {after[name][0]}"
        for name, place in before.items()
        if name in after and after[name] != place
    ]
