"""Names of objects: safe for Kubernetes, bounded, and of one endpoint or release each.

A name is a part that a person recognises and a part of a digest. Names that look alike once they
are made safe stay apart by the second.
"""

from __future__ import annotations

import hashlib
import json
import re

from interlock_hookspecs import Endpoint, Target

_READABLE = 40
_DIGEST = 12


def endpoint_name(endpoint: Endpoint) -> str:
    """The name of an endpoint's Experiment, and the value of its label.

    >>> endpoint_name(Endpoint(name="Employment", project="labour", stack="prod"))
    'employment-prod-dcc41b0c87ad'
    """
    said = f"{endpoint.name}-{endpoint.stack}"
    return _name(said, [endpoint.project, endpoint.stack, endpoint.name])


def model_name(endpoint: Endpoint, target: Target) -> str:
    """The name of the Model of a release at an endpoint: other bytes have another name."""
    whole = [endpoint.project, endpoint.stack, endpoint.name]
    return _name(target.release.id, [*whole, target.release.id, target.model.digest])


def _name(readable: str, whole: list[str]) -> str:
    """A DNS label (RFC 1123): lower-case letters, digits and hyphens, at most 63 characters."""
    safe = re.sub(r"[^a-z0-9]+", "-", readable.lower()).strip("-")[:_READABLE].strip("-")
    if not safe[:1].isalpha():
        safe = f"m-{safe}".strip("-")
    digest = hashlib.sha256(json.dumps(whole).encode()).hexdigest()[:_DIGEST]
    return f"{safe}-{digest}"
