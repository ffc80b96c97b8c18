"""Stand-ins for text widgets of CTK."""

from __future__ import annotations

from typing import Any

from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QLineEdit, QTextBrowser, QWidget


class ctkSearchBox(QLineEdit):
    """Line edit with a search icon and a clear button."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setClearButtonEnabled(True)
        self.setPlaceholderText("Search...")
        self._shows = False

    def showSearchIcon(self) -> bool:
        return self._shows

    def setShowSearchIcon(self, shows: bool) -> None:
        self._shows = shows

    def searchIcon(self) -> QIcon:
        return getattr(self, "_icon", QIcon())

    def setSearchIcon(self, icon: QIcon) -> None:
        self._icon = icon


class ctkFittedTextBrowser(QTextBrowser):
    """Text browser as high as its text, which can be folded to a teaser."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._collapsed, self._full, self._show, self._hide = True, "", "More...", "Less"

    def collapsed(self) -> bool:
        return self._collapsed

    def setCollapsed(self, collapsed: bool) -> None:
        self._collapsed = collapsed
        self._fill()

    def collapsibleText(self) -> str:
        return self._full

    def setCollapsibleText(self, text: str) -> None:
        self._full = text
        self._fill()

    setCollapsibleHtml = setCollapsiblePlainText = setCollapsibleText

    def _fill(self) -> None:
        teaser, _, rest = self._full.partition("\n")
        self.setHtml(f"{teaser} {self._show}" if self._collapsed and rest else self._full)

    def showDetailsText(self) -> str:
        return self._show

    def setShowDetailsText(self, text: str) -> None:
        self._show = text

    def hideDetailsText(self) -> str:
        return self._hide

    def setHideDetailsText(self, text: str) -> None:
        self._hide = text

    def sizeHint(self) -> Any:
        hint = super().sizeHint()
        hint.setHeight(min(hint.height(), int(self.document().size().height()) + 8))
        return hint
