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
        eta_s: Remaining time of the job, s; `None` if unknown.
        step: Number of the stage, from 1; 0 if unknown.
        n_steps: Number of stages; 0 if unknown.
        share: Share of the job that is done, 0 to 1; `None` if unknown.
        part: What the running step consists of, and how much of it is done, such as
            `("window", 3, 20)`; `None` if it says nothing.
    """

    stage: str
    done: int
    total: int
    eta_s: float | None
    step: int = 0
    n_steps: int = 0
    share: float | None = None
    part: tuple[str, int, int] | None = None


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
    part = content.get("part")
    what, n_done, n_all = part if isinstance(part, list) else ("", 0, 0)
    return Progress(
        stage=str(content["stage"]),
        done=_whole(content["done"]),
        total=_whole(content["total"]),
        eta_s=_number(content.get("eta_s")),
        step=_whole(content.get("step") or 0),
        n_steps=_whole(content.get("n_steps") or 0),
        share=_number(content.get("share")),
        part=(str(what), _whole(n_done), _whole(n_all)) if what else None,
    )


def _whole(value: object) -> int:
    if not isinstance(value, int):
        msg = f"Expected whole steps, got {value!r}."
        raise TypeError(msg)
    return value


def _number(value: object) -> float | None:
    if not isinstance(value, int | float | None):
        msg = f"Expected a number, got {value!r}."
        raise TypeError(msg)
    return value
