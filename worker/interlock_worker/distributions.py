"""What is installed beside a plugin, told to the process that locks it."""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Iterable
from importlib import metadata
from typing import Any

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def distributions(roots: Iterable[str]) -> dict[str, Any]:
    """Distributions by name with version and requirements, and what conditions are decided by.

    Whatever a requirement names is told where it is installed, its condition left aside: who asked
    decides which count, by the markers.

    Args:
        roots: names of distributions to begin with.
    """
    found: dict[str, Any] = {}
    waiting, seen = list(roots), set()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        try:
            distribution = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue
        requires = distribution.requires or []
        found[name] = {"version": distribution.version, "requires": requires}
        waiting += [match[0] for line in requires if (match := _NAME.match(line))]
    return {"markers": _markers(), "found": found}


def _markers() -> dict[str, str]:
    """The environment markers of PyPA's specification of dependency specifiers."""
    implementation = sys.implementation
    return {
        "implementation_name": implementation.name,
        "implementation_version": ".".join(map(str, implementation.version[:3])),
        "os_name": os.name,
        "platform_machine": platform.machine(),
        "platform_python_implementation": platform.python_implementation(),
        "platform_release": platform.release(),
        "platform_system": platform.system(),
        "platform_version": platform.version(),
        "python_full_version": platform.python_version(),
        "python_version": ".".join(platform.python_version_tuple()[:2]),
        "sys_platform": sys.platform,
    }
