"""Plots of checks as SVG, drawn in the colours of the page that they stand in."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from html import escape

import attrs

from interlock_govern_card.words import number, plain
from interlock_hookspecs import Bound, Check

_WIDTH = 760
_LEFT, _RIGHT = 290, 660
_TEXT = "fill:var(--text,#1f2328);font-size:13px"
_SMALL = "fill:var(--muted,#59636e);font-size:11.5px"
_RAIL = "stroke:var(--line,#d1d9e0);stroke-width:1"
_BAND = "fill:var(--approve,#1a7f37);opacity:.16"
_LIMIT = "stroke:var(--muted,#59636e);stroke-width:1.5"
_LONGEST = 38
_MOST_ROWS = 40
_PADDING = 0.12
_LEAST_AIR = 0.001
_FAR = 1e300
_TICKS = 5
_COLOURS = {
    "approve": "var(--approve,#1a7f37)",
    "explain": "var(--explain,#9a6700)",
    "refuse": "var(--refuse,#cf222e)",
    "neutral": "var(--accent,#0969da)",
}


@attrs.frozen
class Scale:
    """From values to pixels."""

    low: float
    high: float

    def __call__(self, value: float) -> float:
        """The x of a value."""
        share = (value - self.low) / (self.high - self.low)
        return _LEFT + min(1.0, max(0.0, share)) * (_RIGHT - _LEFT)


def bounds_plot(checks: Sequence[Check], bounds: Sequence[Bound]) -> str | None:
    """Every bounded check with its interval, on a scale of its own beside the bound.

    The band is where the bound holds. None where no bound has a measured check.
    """
    pairs = [
        (bound, check)
        for bound in bounds
        for check in checks
        if check.key == bound.key and check.value is not None
    ]
    if not pairs:
        return None
    rows, top = [], 30
    for bound, check in pairs:
        rows.append(_bound_row(bound, check, top))
        top += 52
    legend = _words(_LEFT, 12, "the band is where the bound holds", _SMALL)
    return _svg("Measured values against the bounds of the policy", top - 8, [legend, *rows])


def _bound_row(bound: Bound, check: Check, top: int) -> str:
    value = check.value if check.value is not None else bound.limit
    scale = _scale([bound.limit, *_ends(check), value])
    y, limit = top + 16, scale(bound.limit)
    left, right = {
        ">": (limit, _RIGHT),
        "<": (_LEFT, limit),
        "=": (limit - 2, limit + 2),
    }[bound.op[0]]
    held = bound.holds(bound.compared(check))
    kind = "explain" if check.undersized else "approve" if held else bound.severity
    on = " on the interval" if bound.on == "interval" else ""
    told = f"{check.key} {number(value)}, bound {bound.text}"
    parts = (
        f"<title>{_said(told)}</title>",
        _label(check.key, y - 3),
        _words(0, y + 13, bound.text + on, _SMALL),
        f'<path d="M{left:.1f} {y - 9}H{right:.1f}v18H{left:.1f}z" style="{_BAND}"/>',
        f'<path d="M{_LEFT} {y}H{_RIGHT}" style="{_RAIL}"/>',
        f'<path d="M{limit:.1f} {y - 13}v26" style="{_LIMIT}"/>',
        _words(limit, y + 25, f"{bound.limit:g}", _SMALL, anchor="middle"),
        _mark(scale, check, y, kind),
        _words(_RIGHT + 16, y + 5, number(value), f"{_TEXT};font-weight:600"),
    )
    return f"<g>{''.join(parts)}</g>"


def group_plots(checks: Sequence[Check]) -> tuple[str, ...]:
    """One plot for each check that was measured by group, its groups on one scale."""
    by_name: dict[str, list[Check]] = {}
    for check in checks:
        if "=" in check.subject and check.value is not None:
            by_name.setdefault(check.key.partition("[")[0], []).append(check)
    return tuple(_group_plot(name, found) for name, found in by_name.items())


def _group_plot(name: str, checks: list[Check]) -> str:
    shown = checks[:_MOST_ROWS]
    scale = _scale([end for check in shown for end in (*_ends(check), check.value or 0.0)])
    bottom = 34 + 24 * len(shown)
    parts = [_words(0, 14, name, f"{_TEXT};font-weight:600")]
    for tick in _ticks(scale):
        x = scale(tick)
        parts.append(f'<path d="M{x:.1f} 26V{bottom - 6}" style="{_RAIL}"/>')
        parts.append(_words(x, bottom + 10, f"{tick:g}", _SMALL, anchor="middle"))
    parts += [_group_row(scale, check, 42 + 24 * index) for index, check in enumerate(shown)]
    if len(checks) > len(shown):
        more = f"and {len(checks) - len(shown)} more, in the table of every check"
        parts.append(_words(0, bottom + 10, more, _SMALL))
    return _svg(f"{name} by group", bottom + 18, parts)


def _group_row(scale: Scale, check: Check, y: int) -> str:
    rows = f" (n {number(check.n)})" if check.n is not None else ""
    parts = (
        f"<title>{_said(f'{check.subject} {number(check.value)}{rows}')}</title>",
        _label(check.subject + rows, y + 4),
        _mark(scale, check, y, "neutral"),
        _words(_RIGHT + 16, y + 5, number(check.value), _TEXT),
    )
    return f"<g>{''.join(parts)}</g>"


def _svg(title: str, height: int, parts: Iterable[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img" '
        f'aria-label="{_said(title)}" style="font-family:inherit"><title>{_said(title)}</title>'
        f"{''.join(parts)}</svg>"
    )


def _mark(scale: Scale, check: Check, y: float, kind: str) -> str:
    """A whisker and a mark: a dot where all is well, a diamond where somebody must look."""
    colour = _COLOURS[kind]
    x = scale(check.value if check.value is not None else scale.low)
    ends = [scale(end) for end in _ends(check)]
    whisker = (
        f'<path d="M{ends[0]:.1f} {y}H{ends[1]:.1f}M{ends[0]:.1f} {y - 5}v10'
        f'M{ends[1]:.1f} {y - 5}v10" style="stroke:{colour};stroke-width:2;fill:none"/>'
        if ends
        else ""
    )
    if kind in ("approve", "neutral"):
        return f'{whisker}<circle cx="{x:.1f}" cy="{y}" r="5" style="fill:{colour}"/>'
    return f'{whisker}<path d="M{x:.1f} {y - 7}l7 7-7 7-7-7z" style="fill:{colour}"/>'


def _label(text: str, y: float) -> str:
    shown = plain(text)
    return _words(0, y, shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST - 1]}…", _TEXT)


def _words(x: float, y: float, text: str, style: str, *, anchor: str = "start") -> str:
    place = f'x="{x:.1f}" y="{y:.0f}" text-anchor="{anchor}"'
    return f'<text {place} style="{style}">{_said(text)}</text>'


def _said(text: str) -> str:
    return escape(plain(text))


def _ends(check: Check) -> tuple[float, ...]:
    return () if check.low is None or check.high is None else (check.low, check.high)


def _scale(values: Sequence[float]) -> Scale:
    """Around the values, with air; what lies from 0 to 1 stays there, and what is far is cut."""
    low, high = (max(-_FAR, min(_FAR, end)) for end in (min(values), max(values)))
    # Equal values, and values equal but for rounding, get some air too.
    least = max(abs(low), abs(high)) * _LEAST_AIR or 1.0
    air = max((high - low) * _PADDING, least)
    if low >= 0 and high <= 1:
        return Scale(max(0.0, low - air), min(1.0, high + air))
    return Scale(low - air, high + air)


def _ticks(scale: Scale) -> list[float]:
    """Round numbers inside a scale, about five of them."""
    step = 10 ** math.floor(math.log10((scale.high - scale.low) / _TICKS))
    for factor in (1, 2, 5, 10):
        if (scale.high - scale.low) / (step * factor) <= _TICKS:
            step *= factor
            break
    start = math.ceil(scale.low / step)
    return [round(step * index, 12) for index in range(start, math.floor(scale.high / step) + 1)]
