"""What a reader who gives classes to cases does at random."""

from __future__ import annotations

from typing import Any

from monkey_views import Clicker

from MultimodalImagingLib.record.class_task import task_of_names

TASK = task_of_names(["benign", "A & B", "malignant"], question="What is it?")


class Classifier(Clicker):
    """Presses the buttons of classes.

    Attributes:
        given: The class by case and reader.
    """

    def allActions(self) -> dict[Any, float]:
        """Return the actions with their weights."""
        self.given: dict[tuple[str, str], str] = {}
        return {
            self.choose_class: 8, self.undo_class: 3, self.go_on: 1, self.open_case: 4,
            self.open_next: 3, self.go_back: 2, self.close_case: 1, self.open_result: 1,
            self.skip_case: 2, self.undo: 2, self.change_reader: 3, self.others_claim: 1,
            self.close_scene: 0.4, self.change_module: 3, self.click_button: 3, self.press_key: 3,
            self.click_row: 3, self.choose_entry: 1, self.paint_labels: 1,
            self.begin_anew: 1.5,
        }  # fmt: skip

    def choose_class(self) -> bool:
        import drive

        box, case = self._box, self.case
        if not self.reach(box.widget) or not case:
            self.promise("no class without a case", not any(one.enabled for one in box.buttons))
            return False
        button, name = self.random.choice(list(zip(box.buttons, TASK.names, strict=True)))
        self._mayChange(case)
        self.given[case, self.reader.casefold()] = name
        if box.goOn.checked:
            if self.leave(lambda: drive.click(button)):
                self._isNext(case)
        else:
            drive.click(button)
            self.promise("the case stays open", self.case == case)
            self.promise("its class is pressed", button.checked)
        self._areGiven()
        return True

    def undo_class(self) -> bool:
        reading = self.desk.selector.labeling.classes._reading
        if not self.reach(self._box.widget) or reading is None or not reading._done:
            return False
        label, former = reading._done[-1]
        if not self.press(self._box.undo):
            self.promise("a class can be taken back", False)
        self.given.pop((label.case_id, self.reader.casefold()))
        if former is not None:
            self.given[label.case_id, self.reader.casefold()] = former.name
        self._mayChange(label.case_id)
        self._areGiven()
        return True

    def begin_anew(self) -> bool:
        isDone = super().begin_anew()
        if isDone:
            self.given.clear()
        return isDone

    def go_on(self) -> bool:
        """Open the next case after a choice, or do not."""
        return self.reach(self._box.widget) and self.press(self._box.goOn)

    def _mayChange(self, case: str) -> None:
        from MultimodalImagingLib.cohorts.class_labels import class_label_place

        self.labels.mayChange(class_label_place(case, self.reader, self.labels.record))

    def _areGiven(self) -> None:
        """Look whether the record holds what was chosen, and nothing else."""
        from MultimodalImagingLib.cohorts.class_labels import read_class_labels

        found = read_class_labels(self.labels.record, TASK)
        labels = [label for own in found.of_case.values() for label in own]
        there = {(label.case_id, label.reader.casefold()): label.name for label in labels}
        self.promise("the record holds the classes", there == self.given, (there, self.given))

    @property
    def _box(self) -> Any:
        return self.desk.selector.labeling.classes.buttons
