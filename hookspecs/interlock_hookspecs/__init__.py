"""The contract of Interlock: the one import that a plugin needs.

>>> from interlock_hookspecs import hookimpl, plugin, setting
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from interlock_hookspecs.artifacts import Artifact, Maker
from interlock_hookspecs.captures import Capture, CaptureBatch, CaptureSink
from interlock_hookspecs.digests import (
    TableHasher,
    bytes_digest,
    file_digest,
    folder_digest,
    folder_manifest,
    is_digest,
    logical_type,
    path_digest,
    table_digest,
)
from interlock_hookspecs.endpoints import (
    Deployment,
    Endpoint,
    EndpointStatus,
    OpenTarget,
    RepeatableFeed,
    Target,
    TargetFeed,
)
from interlock_hookspecs.errors import (
    Conflict,
    InvalidInput,
    NotFound,
    PluginError,
    Unavailable,
    Unsupported,
)
from interlock_hookspecs.evolution import CONTRACT_VERSION, Deprecation, compatible
from interlock_hookspecs.files import project_files
from interlock_hookspecs.inputs import input_column, input_place, is_number
from interlock_hookspecs.models import (
    ORIGINS,
    PREDICTION,
    SCORE,
    Label,
    Model,
    Predictor,
    Signature,
    decide,
    decide_numbers,
    score_columns,
)
from interlock_hookspecs.plain import from_plain, to_plain
from interlock_hookspecs.policy import Bound, ModelFacts, Policy, parse_bound
from interlock_hookspecs.releases import Release
from interlock_hookspecs.rules import (
    PROJECT,
    ROLES,
    SENTENCES,
    Spec,
    contract_of,
    every,
    first,
    hookimpl,
    kinds_of,
    left_out,
    measures_of,
    observe,
    one,
    owner,
    plugin,
    project_root,
    setting,
    spec_of,
)
from interlock_hookspecs.signatures import signature_for
from interlock_hookspecs.tasks import Field, Task, fields_of, is_positive, scalar
from interlock_hookspecs.traffic import LATENCY_EDGES, Traffic, latency_cells
from interlock_hookspecs.types import resolve, type_hints
from interlock_hookspecs.values import Facts, Scalar, Secret, as_facts, reveal, utc

if TYPE_CHECKING:
    from collections.abc import Iterator

    from interlock_hookspecs.candidates import Candidate, Score
    from interlock_hookspecs.checks import Check
    from interlock_hookspecs.datasets import Dataset, SourceFile
    from interlock_hookspecs.dossiers import Approval, CardSection, Dossier, Verdict
    from interlock_hookspecs.happened import Actor, Event
    from interlock_hookspecs.versions import Misfit, ModelVersion, VersionPage
    from interlock_hookspecs.windows import Finding, Instant, Profile, Window, window_text
    from interlock_hookspecs.workspace import Workspace

_HOMES = {
    "Actor": "happened",
    "Approval": "dossiers",
    "Candidate": "candidates",
    "CardSection": "dossiers",
    "Check": "checks",
    "Dataset": "datasets",
    "Dossier": "dossiers",
    "Event": "happened",
    "Finding": "windows",
    "Instant": "windows",
    "Misfit": "versions",
    "ModelVersion": "versions",
    "Profile": "windows",
    "Score": "candidates",
    "SourceFile": "datasets",
    "Verdict": "dossiers",
    "VersionPage": "versions",
    "Window": "windows",
    "Workspace": "workspace",
    "window_text": "windows",
}
"""What a server does without: a class costs half a millisecond, and readiness waits for it."""

SPEC_MODULES = (
    "data",
    "train",
    "model",
    "validate",
    "registry",
    "govern",
    "deploy",
    "monitor",
    "events",
)
"""The modules that hold specifications, in the order of a model's life."""


def specs() -> dict[str, Spec]:
    """Every hook of the contract by name, in the order of a model's life.

    >>> specs()["fit_candidate"].rule
    'one'
    """
    return {name: spec for name, spec in _declared() if not _gone(spec)}


def removed_specs() -> dict[str, Spec]:
    """The hooks that an earlier contract had, each with what to implement instead.

    >>> removed_specs()
    {}
    """
    return {name: spec for name, spec in _declared() if _gone(spec)}


def _gone(spec: Spec) -> bool:
    return spec.deprecated is not None and spec.deprecated.gone


def _declared() -> Iterator[tuple[str, Spec]]:
    from importlib import import_module

    for module in SPEC_MODULES:
        home = import_module(f"{__name__}.{module}")
        for value in vars(home).values():
            spec = spec_of(value) if callable(value) else None
            if spec is not None and spec.function.__module__ == home.__name__:
                yield spec.name, spec


if not TYPE_CHECKING:  # a type checker knows each name, and that there is no other

    def __getattr__(name: str) -> Any:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
        globals()[name] = value
        return value


__all__ = [
    "CONTRACT_VERSION",
    "LATENCY_EDGES",
    "ORIGINS",
    "PREDICTION",
    "PROJECT",
    "ROLES",
    "SCORE",
    "SENTENCES",
    "SPEC_MODULES",
    "Actor",
    "Approval",
    "Artifact",
    "Bound",
    "Candidate",
    "Capture",
    "CaptureBatch",
    "CaptureSink",
    "CardSection",
    "Check",
    "Conflict",
    "Dataset",
    "Deployment",
    "Deprecation",
    "Dossier",
    "Endpoint",
    "EndpointStatus",
    "Event",
    "Facts",
    "Field",
    "Finding",
    "Instant",
    "InvalidInput",
    "Label",
    "Maker",
    "Misfit",
    "Model",
    "ModelFacts",
    "ModelVersion",
    "NotFound",
    "OpenTarget",
    "PluginError",
    "Policy",
    "Predictor",
    "Profile",
    "Release",
    "RepeatableFeed",
    "Scalar",
    "Score",
    "Secret",
    "Signature",
    "SourceFile",
    "Spec",
    "TableHasher",
    "Target",
    "TargetFeed",
    "Task",
    "Traffic",
    "Unavailable",
    "Unsupported",
    "Verdict",
    "VersionPage",
    "Window",
    "Workspace",
    "as_facts",
    "bytes_digest",
    "compatible",
    "contract_of",
    "decide",
    "decide_numbers",
    "every",
    "fields_of",
    "file_digest",
    "first",
    "folder_digest",
    "folder_manifest",
    "from_plain",
    "hookimpl",
    "input_column",
    "input_place",
    "is_digest",
    "is_number",
    "is_positive",
    "kinds_of",
    "latency_cells",
    "left_out",
    "logical_type",
    "measures_of",
    "observe",
    "one",
    "owner",
    "parse_bound",
    "path_digest",
    "plugin",
    "project_files",
    "project_root",
    "removed_specs",
    "resolve",
    "reveal",
    "scalar",
    "score_columns",
    "setting",
    "signature_for",
    "spec_of",
    "specs",
    "table_digest",
    "to_plain",
    "type_hints",
    "utc",
    "window_text",
]
