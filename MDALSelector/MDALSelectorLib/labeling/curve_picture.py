"""Dice against labels as a picture: an SVG that stands in the page, without a script."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from MDALSelectorLib.labeling.advice import Advice

_WIDTH, _HEIGHT = 720, 360
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 16, 16, 48
_BLUE, _GRAY = "#0072b2", "#7a828c"
_N_POINTS = 40
_STEPS = (1, 2, 5)
# A picture that shows less of Dice than this makes much of differences that training alone makes.
_LEAST_HEIGHT = 0.1

Point = tuple[float, float]


@dataclass(frozen=True)
class _Axes:
    """What part of the plane is drawn: labels from left to right, Dice upwards."""

    x: tuple[float, float]
    y: tuple[float, float]

    def place(self, point: Point) -> Point:
        """Return where a point is drawn, pixels."""
        (x0, x1), (y0, y1) = self.x, self.y
        across = (point[0] - x0) / (x1 - x0)
        up = (point[1] - y0) / (y1 - y0)
        return (
            _LEFT + across * (_WIDTH - _LEFT - _RIGHT),
            _HEIGHT - _BOTTOM - up * (_HEIGHT - _TOP - _BOTTOM),
        )


def curve_picture(found: Advice) -> str:
    """Return the picture: rounds as points, the fitted curve, and its 90 % band.

    The curve is drawn up to twice the labels of now; beyond the last round it is dashed.
    """
    points = [(float(row.n_labels), row.dice) for row in found.rounds if row.dice is not None]
    if not points:
        return ""
    band: list[tuple[float, float, float, float]] = []
    if found.curves is not None:
        last = float(found.curves.n_labels[-1])
        steps = np.unique([*np.linspace(points[0][0], 2 * last, _N_POINTS), last])
        at = ((float(n), found.curves.dice(float(n))) for n in steps)
        band = [(n, dice.low, dice.value, dice.high) for n, dice in at]
    axes = _axes(points, band)
    now = points[-1][0]
    parts = [*_grid(axes), *_fit(axes, band, now)]
    for x, y in points:
        px, py = axes.place((x, y))
        title = html.escape(f"{x:.0f} labels: mean Dice {y:.3f}")
        parts.append(
            f'<circle cx="{px:.1f}" cy="{py:.1f}" r="5" fill="{_BLUE}"><title>{title}</title>'
            "</circle>"
        )
    title = "Mean Dice on the evaluation set against the number of labels"
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{title}" width="100%"'
        f' style="max-width: {_WIDTH}px" xmlns="http://www.w3.org/2000/svg" font-size="12"'
        f' font-family="sans-serif" fill="{_GRAY}">{"".join(parts)}</svg>'
    )


def _axes(points: Sequence[Point], band: Sequence[tuple[float, float, float, float]]) -> _Axes:
    x = [n for n, _ in points] + [row[0] for row in band]
    y = [dice for _, dice in points] + [value for row in band for value in row[1:]]
    height = max(y) - min(y)
    rim = max(0.05 * height, (_LEAST_HEIGHT - height) / 2)
    right = max(x) if max(x) > min(x) else min(x) + 1
    low, high = max(min(y) - rim, 0.0), min(max(y) + rim, 1.0)
    return _Axes((min(x) - 0.04 * (right - min(x)), right), (low, high))


def _ticks(low: float, high: float, n: int = 6) -> list[float]:
    """Return round numbers between two, about as many as are wanted."""
    rough = (high - low) / n
    power = 10.0 ** np.floor(np.log10(rough))
    step = next((s * power for s in (*_STEPS, 10) if s * power >= rough), 10 * power)
    first = np.ceil(low / step - 1e-9)
    return [float(k * step) for k in np.arange(first, np.floor(high / step + 1e-9) + 1)]


def _grid(axes: _Axes) -> Iterable[str]:
    left, right, bottom = _LEFT, _WIDTH - _RIGHT, _HEIGHT - _BOTTOM
    for value in _ticks(*axes.y):
        y = axes.place((axes.x[0], value))[1]
        yield (
            f'<line x1="{left}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}" stroke="{_GRAY}"'
            ' stroke-opacity="0.25"/>'
        )
        yield f'<text x="{left - 8}" y="{y + 4:.1f}" text-anchor="end">{value:.2f}</text>'
    for value in dict.fromkeys(round(v) for v in _ticks(*axes.x)):
        x = axes.place((value, axes.y[0]))[0]
        if left <= x <= right:
            yield f'<text x="{x:.1f}" y="{bottom + 18}" text-anchor="middle">{value}</text>'
    yield f'<line x1="{left}" x2="{right}" y1="{bottom}" y2="{bottom}" stroke="{_GRAY}"/>'
    middle = (left + right) / 2
    yield (
        f'<text x="{middle}" y="{_HEIGHT - 8}" text-anchor="middle">labels that the model was'
        " trained on</text>"
    )
    across = (_TOP + bottom) / 2
    yield (
        f'<text x="16" y="{across}" text-anchor="middle" transform="rotate(-90 16 {across})">mean'
        " Dice on the evaluation set</text>"
    )


def _fit(
    axes: _Axes, band: Sequence[tuple[float, float, float, float]], now: float
) -> Iterable[str]:
    if not band:
        return
    rim = [(n, low) for n, low, _, _ in band] + [(n, high) for n, _, _, high in reversed(band)]
    yield f'<polygon points="{_path(axes, rim)}" fill="{_GRAY}" fill-opacity="0.2"/>'
    known = [(n, value) for n, _, value, _ in band if n <= now]
    ahead = [(n, value) for n, _, value, _ in band if n >= now]
    for part, dash in ((known, ""), (ahead, ' stroke-dasharray="6 4"')):
        yield (
            f'<polyline points="{_path(axes, part)}" fill="none" stroke="{_BLUE}"'
            f' stroke-width="2"{dash}/>'
        )


def _path(axes: _Axes, points: Iterable[Point]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in map(axes.place, points))
