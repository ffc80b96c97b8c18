"""A button for every class of a cohort, in place of Segment Editor, and a way back."""

from __future__ import annotations

from functools import partial

import qt
from slicer.i18n import tr as _

from MDALSelectorLib.classification.class_findings import ClassDraft
from MultimodalImagingLib.record.class_task import ClassTask
from MultimodalWidgetsLib.remembered import recalled, remember
from MultimodalWidgetsLib.signal import Signal

MOST_KEYS = 9
_GOES_ON = "ClassGoesOn"
_ICON_PIXELS = 12


class ClassButtons:
    """Shows the classes of a case; the keys 1 to 9 press them where no text is being written.

    Attributes:
        widget: The buttons with what belongs to them.
        chosen: Emits the class that the user chose.
        undone: Emits nothing more when the user wants the last choice back.
    """

    def __init__(self) -> None:
        """Make the widget, without classes and hidden."""
        self.chosen = Signal()
        self.undone = Signal()
        self.widget = qt.QWidget()
        self.buttons: list[qt.QPushButton] = []
        self._task: ClassTask | None = None
        layout = qt.QVBoxLayout(self.widget)
        layout.setContentsMargins(0, 0, 0, 0)
        self.question = qt.QLabel()
        self.question.setWordWrap(True)
        self._places = qt.QVBoxLayout()
        self.draft = qt.QLabel()
        self.draft.setWordWrap(True)
        self.goOn = qt.QCheckBox(_("Next case after a choice"))
        self.goOn.setToolTip(_("A click on a class saves it and opens the next case."))
        self.goOn.setChecked(recalled(_GOES_ON) == "true")
        self.goOn.connect("toggled(bool)", _rememberGoOn)
        self.undo = qt.QPushButton(_("Undo class"))
        self.undo.connect("clicked()", self.undone.emit)
        layout.addWidget(self.question)
        layout.addLayout(self._places)
        for widget in (self.draft, self.goOn, self.undo):
            layout.addWidget(widget)
        self.widget.hide()

    def setTask(self, task: ClassTask | None) -> None:
        """Offer the classes of a cohort; `None` hides everything, as for a cohort to segment."""
        if task != self._task:
            self._task = task
            self._rebuild(task)
        self.widget.setVisible(task is not None)

    def show(self, case: str, given: str, draft: ClassDraft | None, *, undoes: str = "") -> None:
        """Show what is known of a case.

        Args:
            case: The case; empty if none is open.
            given: The class that the reader gave it; empty if none.
            draft: What a classifier made of it.
            undoes: The case whose class *Undo* takes back; empty if there is none.
        """
        names = () if self._task is None else self._task.names
        for number, (name, button) in enumerate(zip(names, self.buttons, strict=True), start=1):
            button.setEnabled(bool(case))
            button.setChecked(name == given)
            button.setText(_buttonText(number, name, draft))
            if number <= MOST_KEYS:  # a new text takes the shortcut away
                button.setShortcut(qt.QKeySequence(str(number)))
        self.draft.setText(_draftText(draft, isLabeled=bool(given)))
        self.draft.setVisible(draft is not None)
        self.undo.setEnabled(bool(undoes))
        tip = _("Take the class of {case} back.").format(case=undoes)
        self.undo.setToolTip(tip if undoes else _("No class was given since the panel was opened."))

    def _rebuild(self, task: ClassTask | None) -> None:
        for button in self.buttons:
            self._places.removeWidget(button)
            button.hide()
            button.deleteLater()
        self.buttons = []
        self.question.setText("" if task is None else task.question)
        self.question.setVisible(bool(task and task.question))
        for name in () if task is None else task.names:
            button = qt.QPushButton(name)
            button.setCheckable(True)
            button.setIcon(_colorIcon(task.color_of(name) if task else ""))
            button.connect("clicked()", partial(self._onClicked, name))
            self._places.addWidget(button)
            self.buttons.append(button)

    def _onClicked(self, name: str) -> None:
        self.chosen.emit(name)


def _buttonText(number: int, name: str, draft: ClassDraft | None) -> str:
    plain = name.replace("&", "&&")  # one alone would underline a letter
    text = f"{number}  {plain}" if number <= MOST_KEYS else plain
    if draft is None or draft.name != name:
        return text
    share = round(100 * draft.probability)
    return _("{class_name}   (draft, {percent} %)").format(class_name=text, percent=share)


def _draftText(draft: ClassDraft | None, *, isLabeled: bool) -> str:
    if draft is None:
        return ""
    if isLabeled:
        return _("The draft said {class_name}.").format(class_name=draft.name)
    return _("The draft is no label: {class_name} counts once you choose it.").format(
        class_name=draft.name
    )


def _colorIcon(color: str) -> qt.QIcon:
    pixels = qt.QPixmap(_ICON_PIXELS, _ICON_PIXELS)
    pixels.fill(qt.QColor(color))
    return qt.QIcon(pixels)


def _rememberGoOn(isOn: bool) -> None:
    remember(_GOES_ON, "true" if isOn else "false")
