"""Somebody who does anything in any order with both panels; what must hold is checked every time.

Actions are in `monkey_labels.py` (the section Labeling, and others at the same record) and
`monkey_views.py` (scene, views, mouse and keys).
"""

from __future__ import annotations

import random
import re
from collections import Counter, deque
from collections.abc import Callable
from typing import Any

from desk import CASES, Desk, black_views, shown_views, untrue_headers
from error_watch import ErrorLog
from label_watch import Labels, LabelWatch
from slicer_host import errors

ESCAPE = "Escape"
OPENING = ("open_case", "open_result", "open_blinded", "open_next", "go_back")
IDLE_OPENS = 0.6  # how often one of these comes next if no case is open
# What is asked, by a part of the text.
QUESTIONS = {
    "unsaved": "have unsaved changes. Save them?",
    "nothing": "Nothing is drawn in",
    "claimed": " is open by ",
    "reason": "Why should",
}


class Answers:
    """Answers all questions at random, in place of prepared answers.

    Attributes:
        asked: Kind and answer of the questions since the last action.
        count: How often what was answered.
        mayStay: Whether questions about unsaved labels offer to stay.
    """

    def __init__(self, messages: Any, chance: random.Random) -> None:
        import qt

        box = qt.QMessageBox
        self._messages, self._chance = messages, chance
        self.asked: list[tuple[str, Any]] = []
        self.count: Counter[str] = Counter()
        self.mayStay = True
        self._save, self._discard = int(box.Save), int(box.Discard)
        self._yes, self._no, self._cancel = int(box.Yes), int(box.No), int(box.Cancel)

    def __bool__(self) -> bool:
        """Tell whether the question that was asked just now is known; else a default is given."""
        return bool(self._kind())

    def popleft(self) -> Any:
        """Answer the question that was asked just now."""
        kind = self._kind()
        answer = self._chance.choice(self._choices(kind))
        self.asked.append((kind, answer))
        self.count[f"{kind}: {self._name(answer)}"] += 1
        return answer

    def clear(self) -> None:
        """Forget what was asked."""
        self.asked.clear()

    def to(self, kind: str) -> list[Any]:
        """Return the answers to questions of a kind, escape as the button that it presses."""
        stay = self._cancel if self.mayStay else self._save
        isUnsaved = kind == "unsaved"
        return [
            stay if isUnsaved and answer == ESCAPE else answer
            for asked, answer in self.asked
            if asked == kind
        ]

    def isSaved(self) -> bool:
        """Tell whether unsaved labels were to be saved."""
        return self._save in self.to("unsaved")

    def isStaying(self) -> bool:
        """Tell whether the open case was to stay."""
        return self._cancel in self.to("unsaved")

    def isYes(self, kind: str) -> bool:
        """Tell whether a question was answered with yes."""
        return self._yes in self.to(kind)

    def isNo(self, kind: str) -> bool:
        """Tell whether a question was answered with no."""
        return self._no in self.to(kind)

    def _kind(self) -> str:
        text = self._messages.messages[-1] if self._messages.messages else ""
        return next((kind for kind, part in QUESTIONS.items() if part in text), "")

    def _choices(self, kind: str) -> list[Any]:
        if kind == "unsaved":
            staying = [self._cancel] if self.mayStay else []
            return [self._save, self._save, self._discard, *staying, ESCAPE]
        if kind == "reason":
            return ["blurred", "PET is cut off", ESCAPE]
        return [self._yes, self._yes, self._no]

    def _name(self, answer: Any) -> str:
        names = {self._save: "save", self._discard: "discard", self._cancel: "cancel"}
        names |= {self._yes: "yes", self._no: "no"}
        return names.get(answer, str(answer))


class Monkey:
    """Acts at random, and knows what it was told to be saved.

    Attributes:
        done: The last actions.
        acted: How often each action did something, and how often there was nothing to do.
        kept: How often each promise was looked at.
        labels: The files of labels, and what they must hold.
        reader: Who was named last.
        mayBeRare: Actions that cannot do anything here.
        prepareRecord: Puts into a new record what it begins with.
    """

    mayBeRare: frozenset[str] = frozenset()

    def __init__(self, desk: Desk, messages: Any, capture: Any, seed: int) -> None:
        import slicer

        self.desk, self.scene, self.messages = desk, slicer.mrmlScene, messages
        self.ui = desk.selector.ui
        self.random = random.Random(seed)
        self.answers = messages.answers = Answers(messages, self.random)
        self.errors = ErrorLog(capture)
        self.done: deque[str] = deque(maxlen=60)
        self.acted: Counter[str] = Counter()
        self.kept: Counter[str] = Counter()
        self.reader = desk.reader
        self.labels = LabelWatch(desk, self.promise)
        self.actions = self.allActions()
        self.prepareRecord: Callable[[Any], None] = lambda _record: None
        self._isErrorMeant = False

    def allActions(self) -> dict[Callable[[], bool], float]:
        """Return the actions with their weights."""
        return {}

    def act(self) -> None:
        """Do one thing and look whether all is as it should be."""
        import slicer

        isIdle = not self.case and self.random.random() < IDLE_OPENS
        chosen = {
            one: n for one, n in self.actions.items() if one.__name__ in OPENING or not isIdle
        }
        [action] = self.random.choices(list(chosen), list(chosen.values()))
        self.done.append(action.__name__)
        self.messages.clear()
        self.answers.mayStay, self._isErrorMeant = True, False
        self.labels.begin()
        isDone = bool(action())
        slicer.app.processEvents()
        self.acted[action.__name__ if isDone else f"{action.__name__} (nothing to do)"] += 1
        self._check()

    def promise(self, name: str, isKept: Any, why: object = "") -> None:
        """Count and check a promise."""
        self.kept[name] += 1
        assert isKept, f"{name}: {why}"

    def _check(self) -> None:
        self.labels.end()
        wrong = self.errors.drain()
        if not self._isErrorMeant:
            self.promise("nothing went wrong", not wrong, "\n".join(wrong))
            unknown = [
                text
                for text in self.messages.messages
                if not any(part in text for part in QUESTIONS.values())
            ]
            self.promise("nothing else was asked or told", not unknown, unknown)
        own = [image for view, _, image in shown_views(self.scene) if _isOwn(view) and image]
        if own:
            self.promise("headers are true", not (wrong := untrue_headers(self.scene)), wrong)

    def isMeant(self, kind: type[BaseException], match: str) -> None:
        """Look whether what was done was refused with one error that the user was shown."""
        self._isErrorMeant, found = True, errors.drain()
        isIt = len(found) == 1 and isinstance(found[0], kind) and re.search(match, str(found[0]))
        self.promise("what is refused is told", isIt and self.messages.messages, found)

    # --- the open case ---

    @property
    def case(self) -> str:
        """The open case; empty if none is."""
        return str(self.desk.case.loader.caseID)

    def reach(self, button: Any) -> bool:
        """Go to a widget of the section Labeling as a user would; tell whether it can be used."""
        import drive
        import slicer

        slicer.util.selectModule("MDALSelector")
        slicer.app.processEvents()
        section = self.ui.labelingCollapsibleButton
        if section.collapsed:
            drive.click(section)
        return bool(button.visible and button.enabled)

    def press(self, button: Any) -> bool:
        """Click a button of the section Labeling, if it can be clicked."""
        import drive

        if not self.reach(button):
            self.acted[f"not to be pressed: {button.objectName}"] += 1
            return False
        drive.click(button)
        return True

    def memory(self) -> Labels:
        """Return what the open labels are now, and where they belong."""
        return self.labels.remember(self.reader)

    def isReader(self, name: str) -> bool:
        """Tell whether a name is that of the reader, whose file may have other capitals."""
        return name.casefold() == self.reader.casefold()

    def leave(self, action: Callable[[], Any], *, mayStay: bool = True) -> bool:
        """Leave the case with any answer; return whether it was left."""
        owner = self.desk.case
        isUnsaved, memory = owner.hasUnsavedChanges(), self.memory()
        nodes = [*owner.loader.volumes().values(), owner.loader.segmentation()]
        nodes = [node for node in nodes if node is not None]
        self.answers.mayStay = mayStay
        action()
        answers = self.answers
        self.done.append(
            f"({memory.case or 'nothing'} was open, unsaved {isUnsaved}, {answers.asked};"
            f" now {self.case or 'nothing'})"
        )
        self.promise("unsaved labels are asked about", len(answers.to("unsaved")) == isUnsaved)
        isLeft = all(node.GetScene() is None for node in nodes)
        isMeant = not answers.isStaying() and not answers.isNo("claimed")
        if nodes:
            self.promise("a case is left if that was the answer", isLeft == isMeant)
        if isUnsaved and not answers.isStaying() and memory.taken is not None:
            self.labels.mayGo(memory.taken)
        if isUnsaved and answers.isSaved():
            self.labels.isSaved(memory)
        elif isLeft:
            self.labels.isLeft(memory)
        return isMeant

    def isOpened(self, case: str) -> None:
        """Look at a case that was just opened."""
        self.promise("the case is open", self.case == case, self.case)
        self.promise("no view misses its image", not (wrong := black_views(self.scene)), wrong)
        images = [image for _view, _, image in shown_views(self.scene) if image]
        shown = {image.GetAttribute("CrossModal.Case") for image in images}
        self.promise("the views show the open case", shown == {case}, shown)
        self.labels.isOpened(self.reader)

    def other(self) -> str:
        """Return any case."""
        return self.random.choice(CASES)

    def report(self) -> str:
        """Say what was done and looked at, and how often."""
        parts = {"Actions": self.acted, "Answers": self.answers.count, "Promises": self.kept}
        lines = [
            f"{title}: " + ", ".join(f"{name} {n}" for name, n in sorted(counts.items()))
            for title, counts in parts.items()
        ]
        logged = f"Lines of logs: {self.errors.nLines}, Slicer's own: {self.errors.nSlicersOwn}"
        return "\n".join([*lines, logged])


def _isOwn(view: Any) -> bool:
    return bool(view.GetLayoutName().startswith("CrossModal"))
