"""MLflow's errors become the contract's, and say what to do."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import cast

from interlock_hookspecs import InvalidInput, NotFound, PluginError, Unavailable, Unsupported

ABSENT = ("RESOURCE_DOES_NOT_EXIST", "NOT_FOUND")
EXISTS = ("RESOURCE_ALREADY_EXISTS", "ALREADY_EXISTS")
_REFUSED = ("UNAUTHENTICATED", "PERMISSION_DENIED", "CUSTOMER_UNAUTHORIZED")
_UNKNOWN = ("ENDPOINT_NOT_FOUND", "NOT_IMPLEMENTED", "FEATURE_DISABLED")
_WRONG = ("INVALID_PARAMETER_VALUE", "BAD_REQUEST", "MALFORMED_REQUEST", "INVALID_STATE")
_SAID = 200  # characters of what MLflow says of an error


@contextlib.contextmanager
def explained(place: str) -> Iterator[None]:
    """Raise what MLflow raises as an error of the contract's.

    Args:
        place: what an error calls the server or the database; no secret.
    """
    try:
        yield
    except mlflow_error() as error:
        code = code_of(error)
        raise _kind(code)(_message(place, code, str(error))) from error


def mlflow_error() -> type[Exception]:
    """MLflow's error, imported when something is asked of MLflow."""
    from mlflow.exceptions import MlflowException

    return cast("type[Exception]", MlflowException)


def code_of(error: Exception) -> str:
    """MLflow's own word for what went wrong; empty where the error is none of its."""
    return str(getattr(error, "error_code", ""))


def _kind(code: str) -> type[PluginError]:
    if code in ABSENT:
        return NotFound
    if code in _UNKNOWN:
        return Unsupported
    return InvalidInput if code in _REFUSED or code in _WRONG else Unavailable


def _message(place: str, code: str, said: str) -> str:
    if code in _REFUSED:
        return (
            f"registry-mlflow: {place} refuses these credentials: set `token`, or `username` and "
            "`password`, to an account that may write here"
        )
    if code in _UNKNOWN:
        return f"registry-mlflow: {place} does not know this request: is it an MLflow 3 server?"
    line = said.strip().partition("\n")[0][:_SAID]
    return f"registry-mlflow: {place}: {line}"
