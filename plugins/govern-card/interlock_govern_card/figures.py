"""Figures of any plugin, let in as drawings only: no script, no style sheet, nothing fetched."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree import ElementTree as ET

_LARGEST = 1_000_000
_DEEPEST = 40
_ELEMENTS = frozenset(
    (
        "svg",
        "g",
        "title",
        "desc",
        "defs",
        "path",
        "line",
        "polyline",
        "polygon",
        "rect",
        "circle",
        "ellipse",
        "text",
        "tspan",
        "linearGradient",
        "radialGradient",
        "stop",
        "clipPath",
        "marker",
        "pattern",
    )
)
_FETCHING = ("url(", "image(", "image-set(", "@import", "expression(", "javascript:")
_NAMESPACE = "http://www.w3.org/2000/svg"


def safe_figure(source: str) -> str | None:
    """The SVG document written anew from what is allowed in it; None where anything else is.

    Nothing is repaired: a figure that needs a script or another file is not self-contained.
    """
    # Documents with a DTD may define entities that grow without end; a drawing needs none.
    if len(source) > _LARGEST or "<!" in source or "<?xml-" in source:
        return None
    try:
        root = ET.fromstring(source)  # noqa: S314  (no DTD gets here, see above)
    except ET.ParseError:
        return None
    if _local(root.tag) != "svg":
        return None
    for element, depth in _walk(root):
        name = _local(element.tag)
        if name not in _ELEMENTS or depth > _DEEPEST:
            return None
        if not all(_allowed(key, value) for key, value in element.attrib.items()):
            return None
        element.tag = name
    root.set("xmlns", _NAMESPACE)
    return ET.tostring(root, encoding="unicode")


def _walk(root: ET.Element) -> Iterator[tuple[ET.Element, int]]:
    waiting = [(root, 0)]
    while waiting:
        element, depth = waiting.pop()
        yield element, depth
        if depth <= _DEEPEST:
            waiting += [(child, depth + 1) for child in element]


def _local(tag: object) -> str:
    """The name inside SVG's namespace, or inside none; empty of anything else."""
    text = tag if isinstance(tag, str) else ""
    name = text.removeprefix(f"{{{_NAMESPACE}}}")
    return "" if name.startswith("{") else name


def _allowed(key: str, value: str) -> bool:
    name = key.lower()
    if name.startswith(("on", "{")) or "href" in name or name == "src":
        return False
    lowered = "".join(value.lower().split())
    # A reference inside the drawing, url(#clip), is the only one; CSS escapes could spell others.
    rest = lowered.replace("url(#", "")
    return "\\" not in value and not any(word in rest for word in _FETCHING)
