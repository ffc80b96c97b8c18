"""Long work that does not hold up the window: computed in a thread while events are handled.

Must not import Qt. Nothing of a scene may be touched in the thread.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TypeVar

Result = TypeVar("Result")
Breathe = Callable[[], None]  # handles the events that wait
NAP_S = 0.01  # between two looks whether the work is done


def noBreath() -> None:
    """Handle no events: for scripts without a window."""


def inThread(compute: Callable[[], Result], breathe: Breathe) -> Result:
    """Return what a function computes, with events handled meanwhile.

    Raises:
        Exception: What the function raises.
    """
    with ThreadPoolExecutor(max_workers=1) as pool:
        return waitFor(pool.submit(compute), breathe)


def waitFor(future: Future[Result], breathe: Breathe) -> Result:
    """Return what a thread computes, with events handled meanwhile.

    Raises:
        Exception: What the function in the thread raises.
    """
    while not wait([future], timeout=NAP_S).done:
        breathe()
    return future.result()
