"""How a running job is asked to stop, and where it does."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from MultimodalImagingLib.errors import CancelledError

_cancel_requested = threading.Event()


def check_cancelled() -> None:
    """Stop here if the user asked to; for long steps between two calls of `advance`.

    Raises:
        CancelledError: If a signal to stop has arrived inside `cancel_on_signals`.
    """
    if _cancel_requested.is_set():
        msg = "The job was cancelled; what was finished before is kept."
        raise CancelledError(msg)


@contextmanager
def cancel_on_signals() -> Iterator[None]:
    """Turn SIGINT and SIGTERM into a `CancelledError` at the next `advance`.

    A second signal stops at once, wherever the job is. Outside the main thread, which alone
    receives signals, this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _cancel_requested.clear()
    numbers = (signal.SIGINT, signal.SIGTERM)
    previous = {number: signal.signal(number, _request_cancel) for number in numbers}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
        _cancel_requested.clear()


def _request_cancel(_number: int, _frame: FrameType | None) -> None:
    if _cancel_requested.is_set():
        check_cancelled()
    _cancel_requested.set()
