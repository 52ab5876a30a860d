"""Seldon Core's custom resources: their fields, as its CRDs publish them, and what is refused."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Mapping
from typing import Any

GROUP, VERSION = "mlops.seldon.io", "v1alpha1"
_LONGEST_NAME, _LONGEST_LABEL = 253, 63

Object = dict[str, Any]

INT32, BOOL, TEXT = "int32", "bool", "text"
_JOIN = ("inner", "outer", "any")
_DATAFLOW = {"cleanTopicsOnDelete": BOOL}
_REFERS = {"type": TEXT, "modelRef": TEXT, "pipelineRef": TEXT}
FIELDS: Mapping[str, Any] = {
    # What the specs have: a type, the words of an enumeration, [the items'], or {the fields'}.
    # "!" after a name says that it must be there.
    "Model": {
        "storageUri!": TEXT,
        "artifactVersion": INT32,
        "schemaUri": TEXT,
        "secretName": TEXT,
        "modelType": TEXT,
        "requirements": [TEXT],
        "memory": "quantity",
        "replicas": INT32,
        "minReplicas": INT32,
        "maxReplicas": INT32,
        "server": TEXT,
        "preloaded": BOOL,
        "dedicated": BOOL,
        "logger": {"percent": INT32},
        "explainer": _REFERS,
        "llm": {"modelRef": TEXT, "pipelineRef": TEXT},
        "parameters": [{"name!": TEXT, "value!": TEXT}],
        "dataflow": _DATAFLOW,
    },
    "Experiment": {
        "candidates!": [{"name!": TEXT, "weight!": INT32}],
        "default": TEXT,
        "mirror": {"name!": TEXT, "percent!": INT32},
        "resourceType": TEXT,
    },
    "Pipeline": {
        "steps!": [
            {
                "name!": TEXT,
                "inputs": [TEXT],
                "joinWindowMs": INT32,
                "tensorMap": "map",
                "triggers": [TEXT],
                "inputsJoinType": _JOIN,
                "triggersJoinType": _JOIN,
                "batch": {"size": INT32, "windowMs": INT32, "rolling": BOOL},
            }
        ],
        "input": {
            "externalInputs": [TEXT],
            "externalTriggers": [TEXT],
            "joinWindowMs": INT32,
            "joinType": _JOIN,
            "triggersJoinType": _JOIN,
            "tensorMap": "map",
        },
        "output": {
            "steps": [TEXT],
            "joinWindowMs": INT32,
            "stepsJoin": _JOIN,
            "tensorMap": "map",
        },
        "dataflow": _DATAFLOW,
        "allowCycles": BOOL,
        "maxStepRevisits": INT32,
    },
}
_META = {
    *("name", "namespace", "labels", "annotations", "resourceVersion", "uid", "generation"),
    *("creationTimestamp", "deletionTimestamp", "finalizers", "managedFields"),
    *("generateName", "ownerReferences", "selfLink", "deletionGracePeriodSeconds"),
}
_QUANTITY = re.compile(r"^[+-]?(\d+(\.\d*)?|\.\d+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?\d+)?$")


class Refusal(Exception):  # noqa: N818  (read as a sentence)
    """An answer that is no success, as a `Status` says it."""

    def __init__(self, code: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.code, self.reason = code, reason


def decoded(kind: str, body: Any, query: Mapping[str, str]) -> Object:
    """An object as the API server takes it: nothing unknown where decoding is strict, and valid."""
    if not isinstance(body, dict) or body.get("kind") != kind:
        raise Refusal(400, "BadRequest", "the object provided is unrecognized")
    if body.get("apiVersion") != f"{GROUP}/{VERSION}":
        raise Refusal(400, "BadRequest", "the API version in the data does not match")
    found = copy.deepcopy(body)
    unknown = [
        key for key in found if key not in ("apiVersion", "kind", "metadata", "spec", "status")
    ]
    unknown += [f"metadata.{key}" for key in found["metadata"] if key not in _META]
    wrong: list[str] = []
    _look(FIELDS[kind], found.get("spec", {}), "spec", unknown, wrong)
    if unknown and query.get("fieldValidation") == "Strict":
        said = ", ".join(f'unknown field "{each}"' for each in unknown)
        raise Refusal(400, "BadRequest", f"strict decoding error: {said}")
    name = found["metadata"].get("name", "")
    if not re.fullmatch(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?", name) or len(name) > _LONGEST_NAME:
        wrong.append(f'metadata.name: Invalid value: "{name}"')
    label = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?")
    wrong += [
        f'metadata.labels: Invalid value: "{value}"'
        for value in found["metadata"].get("labels", {}).values()
        if not label.fullmatch(value) or len(value) > _LONGEST_LABEL
    ]
    if wrong:
        msg = f'{kind}.{GROUP} "{name}" is invalid: {"; ".join(wrong)}'
        raise Refusal(422, "Invalid", msg)
    return found


def _look(wanted: Any, value: Any, at: str, unknown: list[str], wrong: list[str]) -> None:
    if isinstance(wanted, dict):
        if not isinstance(value, dict):
            wrong.append(f"{at}: Invalid value: must be of type object")
            return
        known = {key.rstrip("!"): each for key, each in wanted.items()}
        wrong += [
            f"{at}.{key[:-1]}: Required value"
            for key in wanted
            if key.endswith("!") and key[:-1] not in value
        ]
        for key in list(value):
            if key in known:
                _look(known[key], value[key], f"{at}.{key}", unknown, wrong)
            else:
                unknown.append(f"{at}.{key}")
                del value[key]
    elif isinstance(wanted, list):
        if not isinstance(value, list):
            wrong.append(f"{at}: Invalid value: must be of type array")
            return
        for place, each in enumerate(value):
            _look(wanted[0], each, f"{at}[{place}]", unknown, wrong)
    elif not _fits(wanted, value):
        wrong.append(f"{at}: Invalid value: {json.dumps(value)}")


def _fits(wanted: Any, value: Any) -> bool:
    if isinstance(wanted, tuple):
        return value in wanted
    if wanted == "map":
        return isinstance(value, dict) and all(isinstance(each, str) for each in value.values())
    if wanted == "quantity":
        return type(value) is int or (isinstance(value, str) and bool(_QUANTITY.match(value)))
    if wanted == INT32:
        return type(value) is int and -(2**31) <= value < 2**31
    return isinstance(value, bool if wanted == BOOL else str)
