"""Distributions that are installed in a moment: what pip would leave of them, and no package."""

from __future__ import annotations

from pathlib import Path


def distribution(site: Path, name: str, version: str, entry_points: str = "") -> Path:
    """Write down that a distribution is installed; gives the folder where that stands.

    Args:
        site: the folder of packages; made where it is missing. Its modules are the caller's.
        name, version: of the distribution.
        entry_points: as its ``entry_points.txt`` has them; without any there is no such file.
    """
    about = site / f"{name.replace('-', '_')}-{version}.dist-info"
    about.mkdir(parents=True)
    said = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    (about / "METADATA").write_text(said, encoding="utf-8")
    if entry_points:
        (about / "entry_points.txt").write_text(entry_points, encoding="utf-8")
    return about
