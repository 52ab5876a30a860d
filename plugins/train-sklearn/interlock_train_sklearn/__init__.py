"""Training with scikit-learn: any estimator, named or built by the project, fitted repeatably."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import attrs

from interlock_hookspecs import (
    Candidate,
    InvalidInput,
    Scalar,
    Score,
    Task,
    Workspace,
    hookimpl,
    is_number,
    plugin,
    setting,
)

if TYPE_CHECKING:
    import pyarrow as pa

    from interlock_train_sklearn.preparation import Prepared
    from interlock_train_sklearn.rows import Features, Target

__all__ = ["SklearnTrainer"]


def _plain_parameters(_: object, attribute: attrs.Attribute[Any], value: Any) -> None:
    for name, given in value.items():
        items = given if isinstance(given, list | tuple) else [given]
        if any(not isinstance(item, str | int | float | bool | None) for item in items):
            raise TypeError(f"{attribute.name}.{name}: expected a plain value or a list of them")


def _no_single_fold(_: object, attribute: attrs.Attribute[Any], value: int) -> None:
    if value < 0 or value == 1:
        raise ValueError(f"{attribute.name} is {value}: expected 0 for none, or 2 and more")


@plugin(contract="1.0", kinds=("binary", "multiclass", "regression"))
class SklearnTrainer:
    """Fits a scikit-learn estimator to the training rows."""

    estimator: str = setting(
        "",
        doc="the dotted path of an estimator's class, or project:NAME for an estimator, a class "
        "or a function in the project's module; empty is histogram gradient boosting",
    )
    parameters: dict[str, Any] = setting(
        attrs.Factory(dict),
        doc="set on the estimator; part__name reaches into its parts",
        validator=_plain_parameters,
    )
    categorical: tuple[str, ...] = setting(
        (), doc="columns of numbers that are categories all the same; strings always are"
    )
    folds: int = setting(
        0,
        doc="folds of cross-validation on the training rows, each a fit of its own; 0 is none, "
        "as held-out rows are measured in any case",
        validator=_no_single_fold,
    )
    scoring: tuple[str, ...] = setting(
        (), doc="scikit-learn's names of the metrics on each fold; empty is two that suit the kind"
    )
    threads: int = setting(
        0,
        doc="threads of a fit, and n_jobs; 0 is as many as scikit-learn takes by itself. The "
        "model is the same for any number",
        validator=attrs.validators.ge(0),
    )
    format: str = setting("skops", doc="the word of the model format to write")

    @hookimpl
    def fit_candidate(self, rows: pa.Table, task: Task, ws: Workspace) -> Candidate:
        from interlock_train_sklearn.estimators import (
            DEFAULTS,
            changed_parameters,
            make_estimator,
            seed_everything,
            set_jobs,
        )
        from interlock_train_sklearn.parity import OWN_FORMAT, check_parity
        from interlock_train_sklearn.preparation import prepare
        from interlock_train_sklearn.rows import make_signature, read_features, read_target

        target = read_target(rows, task)
        features = read_features(rows, task)
        path = self.estimator or DEFAULTS[task.kind]
        estimator = make_estimator(path, self.parameters, task.kind, ws)
        seed_everything(estimator, task.seed)
        if self.threads:
            set_jobs(estimator, self.threads)
        parameters = changed_parameters(estimator)
        with _limited(self.threads), _explained(features, ws):
            prepared = prepare(features, estimator, self.categorical)
            scores = self._cross_validate(prepared, target, task, ws)
            fitted = _fit(prepared, target, path, ws)
        # How many threads is the machine's affair, and must not be seen in the model's bytes.
        set_jobs(fitted, None)
        whole = prepared.whole(fitted)
        model = ws.write_model(self.format, whole, make_signature(rows, task, features, target))
        if self.format != OWN_FORMAT:
            check_parity(whole, features, ws.open_model(model))
        return Candidate(
            model=model,
            estimator=_full_name(path, estimator),
            parameters=parameters,
            rows=rows.num_rows,
            scores=scores,
            seed=task.seed,
            facts=_facts(self.threads, len(features.fields)),
        )

    def _cross_validate(
        self, prepared: Prepared, target: Target, task: Task, ws: Workspace
    ) -> tuple[Score, ...]:
        from interlock_train_sklearn.crossval import DEFAULT_SCORING, cross_validate

        if not self.folds:
            return ()
        return cross_validate(
            prepared.rest,
            prepared.matrix,
            target,
            folds=self.folds,
            scoring=self.scoring or DEFAULT_SCORING[task.kind],
            seed=task.seed,
            ws=ws,
        )


def _fit(prepared: Prepared, target: Target, path: str, ws: Workspace) -> Any:
    from sklearn.base import clone

    rows, columns = prepared.matrix.shape
    ws.progress(f"fitting {path.rpartition('.')[2]} to {rows} rows of {columns} features")
    return clone(prepared.rest).fit(prepared.matrix, target.values)


def _limited(threads: int) -> Any:
    """One thread for linear algebra, whose sums depend on how they are shared out."""
    from threadpoolctl import threadpool_limits

    return threadpool_limits({"blas": 1, "openmp": threads} if threads else {"blas": 1})


@contextlib.contextmanager
def _explained(features: Features, ws: Workspace) -> Iterator[None]:
    """Say in the user's words what scikit-learn refuses, and log what it warns of."""
    from sklearn.utils._param_validation import InvalidParameterError

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        try:
            yield
        except InvalidParameterError as error:
            raise InvalidInput(f"parameters: {error}") from error
        except (ValueError, IndexError) as error:
            name = _infinite(features)
            if name is not None:
                raise InvalidInput(f"column {name!r} holds an infinite number") from error
            name = _empty(features)
            if name is not None:
                raise InvalidInput(
                    f"column {name!r} holds no value, which the estimator does not take: put it "
                    "in [task] exclude"
                ) from error
            raise
    for text in dict.fromkeys(str(warning.message).partition("\n")[0] for warning in caught):
        ws.log.warning("scikit-learn: %s", text)


def _infinite(features: Features) -> str | None:
    import pyarrow.compute as pc

    for field, column in zip(features.fields, features.columns, strict=True):
        if is_number(field.type) and pc.any(pc.is_inf(column)).as_py():
            return field.name
    return None


def _empty(features: Features) -> str | None:
    """A column without a value; not every estimator minds it."""
    import pyarrow.compute as pc

    for field, column in zip(features.fields, features.columns, strict=True):
        if pc.all(pc.is_null(column, nan_is_null=True)).as_py():
            return field.name
    return None


def _full_name(path: str, estimator: Any) -> str:
    from interlock_train_sklearn.estimators import PROJECT

    if path.startswith(PROJECT):
        return f"{type(estimator).__module__}.{type(estimator).__qualname__}"
    return path


def _facts(threads: int, features: int) -> dict[str, Scalar]:
    import platform
    from importlib.metadata import version

    libraries = ("scikit-learn", "numpy", "scipy")
    return {
        **{name: version(name) for name in libraries},
        "python": platform.python_version(),
        "threads": threads,
        "features": features,
    }
