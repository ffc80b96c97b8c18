"""What message boxes said, and what coming ones and file dialogs answer. Must not import Qt."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any


class Record:
    """Messages that were shown and the answers to give to coming ones."""

    def __init__(self) -> None:
        self.messages: list[str] = []
        self.answers: deque[Any] = deque()
        self.files: deque[str] = deque()
        self.interactive = False
        self.testing = False
        self.installs: list[list[str]] = []
        self.install_effect: Callable[[list[Any]], None] | None = None
        self.extensions: list[str] = []
        self.server = True

    def clear(self) -> None:
        """Forget all messages and answers."""
        self.messages.clear()
        self.answers.clear()
        self.files.clear()
        self.installs.clear()
        self.extensions.clear()
        self.install_effect, self.server, self.testing = None, True, False

    def answer(self, default: Any) -> Any:
        """Return the next prepared answer, or the default."""
        return self.answers.popleft() if self.answers else default


record = Record()
