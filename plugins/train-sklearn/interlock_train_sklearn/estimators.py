"""Which estimator is fitted: named by the stack, checked before it is called, made repeatable."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Iterator, Mapping
from typing import Any

from interlock_hookspecs import InvalidInput, Scalar, Workspace

DEFAULTS: Mapping[str, str] = {
    "binary": "sklearn.ensemble.HistGradientBoostingClassifier",
    "multiclass": "sklearn.ensemble.HistGradientBoostingClassifier",
    "regression": "sklearn.ensemble.HistGradientBoostingRegressor",
}
PROJECT = "project:"


def make_estimator(path: str, parameters: Mapping[str, Any], kind: str, ws: Workspace) -> Any:
    """An unfitted estimator, fresh whatever the project keeps.

    Args:
        path: the dotted path of an estimator's class, or ``project:NAME``: an estimator, its
            class, or a function that makes one, in the project's module.
        parameters: set on it; ``part__name`` reaches into its parts.
        kind: the task's.
        ws: knows the project's module.

    Raises:
        InvalidInput: the path names no estimator, a parameter does not exist, or it is an
            estimator for another kind of task.
    """
    from sklearn.base import BaseEstimator, clone, is_classifier, is_regressor

    project = path.startswith(PROJECT)
    made = _from_project(path, ws) if project else _call(_class_at(path), path)
    if not isinstance(made, BaseEstimator):
        raise InvalidInput(f"{path} made a {type(made).__name__}, which is no estimator")
    estimator = clone(made)
    _set(estimator, parameters, path)
    refuse_memory(estimator)
    wanted, fits = (
        ("regressor", is_regressor)
        if kind == "regression"
        else (
            "classifier",
            is_classifier,
        )
    )
    if not fits(estimator):
        raise InvalidInput(f"{path} is no {wanted}, which kind = {kind!r} needs")
    if kind != "regression" and not hasattr(estimator, "predict_proba"):
        raise InvalidInput(
            f"{path} gives no probabilities: choose parameters with which it does, or wrap it "
            "in sklearn.calibration.CalibratedClassifierCV"
        )
    return estimator


def _class_at(path: str) -> Any:
    from sklearn.base import BaseEstimator

    module_name, _, name = path.rpartition(".")
    if not module_name:
        raise InvalidInput(f"estimator = {path!r}: expected a dotted path, or {PROJECT}NAME")
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise InvalidInput(f"estimator = {path!r}: {error}") from error
    found = getattr(module, name, None)
    if found is None:
        near = difflib.get_close_matches(name, dir(module), 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise InvalidInput(f"estimator = {path!r}: {module_name} has no {name!r}{hint}")
    if not (isinstance(found, type) and issubclass(found, BaseEstimator)):
        raise InvalidInput(f"estimator = {path!r} is no class of scikit-learn estimators")
    return found


def _call(cls: Any, path: str) -> Any:
    try:
        return cls()
    except TypeError as error:
        raise InvalidInput(
            f"{path} is made from other objects: build it in the project's module and name it "
            f"as {PROJECT}NAME"
        ) from error


def _from_project(path: str, ws: Workspace) -> Any:
    from sklearn.base import BaseEstimator

    found = ws.project_attribute(path.removeprefix(PROJECT))
    if isinstance(found, BaseEstimator):
        return found
    if isinstance(found, type) and not issubclass(found, BaseEstimator):
        raise InvalidInput(f"estimator = {path!r} is a class, but none of estimators")
    if not callable(found):
        raise InvalidInput(f"estimator = {path!r} is no estimator and no function that makes one")
    return found()


def _set(estimator: Any, parameters: Mapping[str, Any], path: str) -> None:
    known = estimator.get_params(deep=True)
    for name in parameters:
        if name.rpartition("__")[2] == "random_state":
            raise InvalidInput("parameters: random_state is set from [task] seed")
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise InvalidInput(f"parameters: {path} has no {name!r}{hint}")
    estimator.set_params(**parameters)


def refuse_memory(estimator: Any) -> None:
    """A pipeline's cache folder holds pickles, and a fit loads what it finds there.

    Raises:
        InvalidInput: the estimator, or a part of it, has ``memory`` set.
    """
    for part in _parts(estimator):
        if getattr(part, "memory", None) is not None:
            raise InvalidInput(
                f"{type(part).__name__} has `memory` set: a cache of pickles is not used; remove it"
            )


def seed_everything(estimator: Any, seed: int) -> None:
    """Set every ``random_state``, of the estimator and of its parts."""
    named = estimator.get_params(deep=True)
    found = {name: seed for name in named if name.rpartition("__")[2] == "random_state"}
    estimator.set_params(**found)


def set_jobs(estimator: Any, jobs: int | None) -> None:
    """Set ``n_jobs`` wherever it is a number or unset, fitted parts included."""
    for part in _parts(estimator):
        if "n_jobs" in vars(part) and isinstance(part.n_jobs, int | None):
            part.n_jobs = jobs


def _parts(root: Any) -> Iterator[Any]:
    """The estimator and every estimator that it holds, in parameters or fitted."""
    import numpy as np
    from sklearn.base import BaseEstimator

    seen: set[int] = set()
    pending = [root]
    while pending:
        value = pending.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, BaseEstimator):
            yield value
            pending.extend(vars(value).values())
        elif isinstance(value, dict):
            pending.extend(value.values())
        elif isinstance(value, list | tuple):
            pending.extend(value)
        elif isinstance(value, np.ndarray) and value.dtype == object:
            pending.extend(value.ravel().tolist())
        elif type(value).__module__.startswith("sklearn.") and hasattr(value, "__dict__"):
            pending.extend(vars(value).values())


def changed_parameters(estimator: Any) -> dict[str, Scalar]:
    """The parameters that differ from the class's defaults, as plain values; not the seed.

    >>> from sklearn.tree import DecisionTreeClassifier
    >>> changed_parameters(DecisionTreeClassifier(max_depth=3, random_state=0))
    {'max_depth': 3}
    """
    import inspect

    defaults = {
        name: parameter.default
        for name, parameter in inspect.signature(type(estimator).__init__).parameters.items()
    }
    values = estimator.get_params(deep=False)
    return {
        name: _plain(value)
        for name, value in sorted(values.items())
        if name not in ("random_state", "n_jobs") and _plain(value) != _plain(defaults.get(name))
    }


def _plain(value: Any) -> Scalar:
    if value is None or type(value) in (str, int, bool):
        return value  # type: ignore[no-any-return]  # one of the four
    if type(value) is float:
        return value if value - value == 0 else str(value)
    if isinstance(value, list | tuple | dict | set):
        return _shown(value)
    if hasattr(value, "get_params"):
        return " ".join(repr(value).split())
    return type(value).__name__


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_plain(item)}" for key, item in value.items()) + "}"
    items = sorted(map(str, value)) if isinstance(value, set) else map(str, map(_plain, value))
    return "[" + ", ".join(items) + "]"
