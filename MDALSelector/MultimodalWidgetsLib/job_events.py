"""What a child process says: JSON objects on standard output, one per line; all else is log.

Must not import Slicer or Qt.
"""

from __future__ import annotations

import codecs
from dataclasses import dataclass

from MultimodalImagingLib.record.json_entry import json_value

MAX_LINE_CHARACTERS = 32_000_000  # the result of a large cohort is one line of some megabytes


@dataclass(frozen=True)
class Progress:
    """How far a job is.

    Attributes:
        stage: What it does now.
        done: Finished steps.
        total: All steps, 0 if unknown.
        eta_s: Remaining time of the stage, s; `None` if unknown.
    """

    stage: str
    done: int
    total: int
    eta_s: float | None


@dataclass(frozen=True)
class Message:
    """Something that the job tells the user.

    Attributes:
        level: `"info"`, `"warning"` or `"error"`.
        text: One sentence.
    """

    level: str
    text: str


@dataclass(frozen=True)
class Result:
    """What came out.

    Attributes:
        content: The keys of the job's result event.
    """

    content: dict[str, object]


@dataclass(frozen=True)
class LogLine:
    """A line that is no event.

    Attributes:
        text: The line without its end.
    """

    text: str


Event = Progress | Message | Result | LogLine


class LineReader:
    """Cuts a stream of bytes into lines; keeps what is not complete yet."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._rest = ""

    def feed(self, data: bytes) -> list[str]:
        """Return the lines that are complete now.

        A carriage return within a line, as progress bars write it, discards what stands before it.
        """
        text = self._rest + self._decoder.decode(data)
        *lines, self._rest = text.split("\n")
        if len(self._rest) > MAX_LINE_CHARACTERS:
            lines.append(self._rest)
            self._rest = ""
        return [_visible(line) for line in lines]

    def close(self) -> list[str]:
        """Return the last line if the stream ended without an end of line."""
        rest, self._rest = self._rest + self._decoder.decode(b"", final=True), ""
        return [_visible(rest)] if rest else []


def parse_line(line: str) -> Event:
    """Understand one line of standard output."""
    if not line.startswith("{"):
        return LogLine(line)
    try:
        content = json_value(line)
        return _parse_event(content)
    except (ValueError, KeyError, TypeError):  # a log line that only looks like an event
        return LogLine(line)


def _visible(line: str) -> str:
    return line.rstrip("\r").rsplit("\r", 1)[-1]


def _parse_event(content: dict[str, object]) -> Event:
    kind = content.pop("event")
    if kind == "progress":
        return _parse_progress(content)
    if kind == "result":
        return Result(content)
    if kind in ("info", "warning", "error"):
        return Message(str(kind), str(content["message"]))
    msg = f"Unknown event {kind!r}."
    raise ValueError(msg)


def _parse_progress(content: dict[str, object]) -> Progress:
    eta_s = content.get("eta_s")
    if not isinstance(eta_s, int | float | None):
        msg = f"Expected seconds, got {eta_s!r}."
        raise TypeError(msg)
    done, total = content["done"], content["total"]
    if not (isinstance(done, int) and isinstance(total, int)):
        msg = f"Expected whole steps, got {done!r} of {total!r}."
        raise TypeError(msg)
    return Progress(str(content["stage"]), done, total, eta_s)
