"""What message boxes said, and what coming ones and file dialogs answer. Must not import Qt."""

from __future__ import annotations

from collections import deque
from typing import Any


class Record:
    """Messages that were shown and the answers to give to coming ones."""

    def __init__(self) -> None:
        self.interactive = False
        self.messages: list[str] = []
        self.answers: deque[Any] = deque()
        self.files: deque[str] = deque()
        self.installs: list[list[str]] = []
        self.testing = False

    def clear(self) -> None:
        """Forget all messages and answers."""
        for kept in (self.messages, self.answers, self.files, self.installs):
            kept.clear()
        self.testing = False

    def answer(self, default: Any) -> Any:
        """Return the next prepared answer, or the default."""
        return self.answers.popleft() if self.answers else default

    def file(self) -> str:
        """Return the next prepared path, or an empty one."""
        return self.files.popleft() if self.files else ""


record = Record()
