"""Histogram gradient boosting as one ONNX operator, which skl2onnx does not write today.

The operator is ``TreeEnsemble`` of ``ai.onnx.ml`` 5 in double precision: it compares what the
estimator compares (``x <= threshold`` goes left, a missing value where the split sends it) and adds
up the same leaves. Raw scores differ by the order of a sum, in the last bits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from interlock_hookspecs import Unsupported

if TYPE_CHECKING:
    import numpy as np

ML_OPSET = 5
"""The version of ``ai.onnx.ml`` that brought the operator."""

OPERATOR = "TreeEnsemble"
_BRANCH_LEQ = 0
_SUM = 1


@attrs.define
class _Trees:
    """The attributes of the operator, as the trees are laid out one after the other.

    Inner nodes and leaves are numbered apart; ``true`` and ``false`` name one or the other, as
    ``true_is_leaf`` and ``false_is_leaf`` say.
    """

    roots: list[int] = attrs.field(factory=list)
    features: list[int] = attrs.field(factory=list)
    thresholds: list[float] = attrs.field(factory=list)
    missing_true: list[int] = attrs.field(factory=list)
    true: list[int] = attrs.field(factory=list)
    true_is_leaf: list[int] = attrs.field(factory=list)
    false: list[int] = attrs.field(factory=list)
    false_is_leaf: list[int] = attrs.field(factory=list)
    leaf_values: list[float] = attrs.field(factory=list)
    leaf_targets: list[int] = attrs.field(factory=list)

    def add(self, nodes: np.ndarray, target: int) -> None:
        """Lay out one tree, whose leaves add to an output."""
        leaf = nodes["is_leaf"].astype(bool)
        if (nodes["is_categorical"].astype(bool) & ~leaf).any():
            raise Unsupported("histogram boosting with categorical_features does not convert")
        inner, leaves = leaf.size - leaf.sum(), leaf.sum()
        place = leaf.cumsum() - 1 + len(self.leaf_values)
        place[~leaf] = (~leaf).cumsum()[~leaf] - 1 + len(self.features)
        self.roots.append(len(self.features))
        self.leaf_values += nodes["value"][leaf].tolist()
        self.leaf_targets += [target] * int(leaves)
        if not inner:
            # The operator has no tree without a split: one that decides nothing stands in.
            self._split([0], [0.0], [1], place[:1], [1], place[:1], [1])
            return
        split = nodes[~leaf]
        left, right = split["left"], split["right"]
        self._split(
            split["feature_idx"].tolist(),
            split["num_threshold"].tolist(),
            split["missing_go_to_left"].astype(int).tolist(),
            place[left],
            leaf[left].astype(int).tolist(),
            place[right],
            leaf[right].astype(int).tolist(),
        )

    def _split(
        self,
        features: list[int],
        thresholds: list[float],
        missing_true: list[int],
        true: np.ndarray,
        true_is_leaf: list[int],
        false: np.ndarray,
        false_is_leaf: list[int],
    ) -> None:
        self.features += features
        self.thresholds += thresholds
        self.missing_true += missing_true
        self.true += true.tolist()
        self.true_is_leaf += true_is_leaf
        self.false += false.tolist()
        self.false_is_leaf += false_is_leaf

    def attributes(self, targets: int) -> dict[str, Any]:
        """As the operator's specification names them."""
        from onnx import TensorProto, helper

        def tensor(name: str, kind: int, values: list[Any]) -> Any:
            return helper.make_tensor(name, kind, [len(values)], values)

        return {
            "n_targets": targets,
            "aggregate_function": _SUM,
            "tree_roots": self.roots,
            "nodes_featureids": self.features,
            "nodes_splits": tensor("splits", TensorProto.DOUBLE, self.thresholds),
            "nodes_modes": tensor("modes", TensorProto.UINT8, [_BRANCH_LEQ] * len(self.thresholds)),
            "nodes_missing_value_tracks_true": self.missing_true,
            "nodes_truenodeids": self.true,
            "nodes_trueleafs": self.true_is_leaf,
            "nodes_falsenodeids": self.false,
            "nodes_falseleafs": self.false_is_leaf,
            "leaf_targetids": self.leaf_targets,
            "leaf_weights": tensor("leaves", TensorProto.DOUBLE, self.leaf_values),
        }


def is_boosting(estimator: Any) -> bool:
    """Whether an estimator is histogram gradient boosting."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    return isinstance(estimator, HistGradientBoostingClassifier | HistGradientBoostingRegressor)


def converters() -> dict[str, dict[type[Any], Any]]:
    """What ``skl2onnx.convert_sklearn`` is told of histogram boosting, as its arguments."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    return {
        "custom_conversion_functions": {
            HistGradientBoostingClassifier: _convert_classifier,
            HistGradientBoostingRegressor: _convert_regressor,
        },
        "custom_shape_calculators": {
            HistGradientBoostingClassifier: _classifier_shape,
            HistGradientBoostingRegressor: _regressor_shape,
        },
    }


def _raw(scope: Any, operator: Any, container: Any) -> str:
    """Add the operators that compute the raw scores, [n, targets]; the name of their output."""
    from onnx import TensorProto

    fitted = operator.raw_operator
    trees = _Trees()
    # The fitted trees have no public name; skl2onnx reads the same attributes.
    for iteration in fitted._predictors:  # noqa: SLF001
        for target, tree in enumerate(iteration):
            trees.add(tree.nodes, target)
    baseline = fitted._baseline_prediction.ravel().astype(float)  # noqa: SLF001
    names = [scope.get_unique_variable_name(name) for name in ("x", "sum", "base", "raw")]
    doubles, total, base, raw = map(str, names)
    container.add_node(
        "Cast",
        operator.inputs[0].full_name,
        doubles,
        op_version=13,
        name=scope.get_unique_operator_name("Cast"),
        to=TensorProto.DOUBLE,
    )
    container.add_node(
        OPERATOR,
        doubles,
        total,
        op_domain="ai.onnx.ml",
        op_version=1,  # skl2onnx knows of none above 3; the model's own version is set afterwards
        name=scope.get_unique_operator_name(OPERATOR),
        **trees.attributes(baseline.size),
    )
    container.add_initializer(base, TensorProto.DOUBLE, [1, baseline.size], baseline.tolist())
    _node(scope, container, "Add", [total, base], raw, 14)
    return raw


def _node(
    scope: Any, container: Any, kind: str, inputs: list[str], output: str, version: int, **more: Any
) -> None:
    name = scope.get_unique_operator_name(kind)
    container.add_node(kind, inputs, output, op_version=version, name=name, **more)


def _convert_classifier(scope: Any, operator: Any, container: Any) -> None:
    from onnx import TensorProto

    raw = _raw(scope, operator, container)
    label, scores = (output.full_name for output in operator.outputs)
    if len(operator.raw_operator.classes_) == 2:  # noqa: PLR2004  (a binary classifier)
        names = [scope.get_unique_variable_name(name) for name in ("positive", "one", "negative")]
        positive, one, negative = names
        _node(scope, container, "Sigmoid", [raw], positive, 13)
        container.add_initializer(one, TensorProto.DOUBLE, [1], [1.0])
        _node(scope, container, "Sub", [one, positive], negative, 14)
        _node(scope, container, "Concat", [negative, positive], scores, 13, axis=1)
    else:
        _node(scope, container, "Softmax", [raw], scores, 13, axis=1)
    # Which class it is, is decided by the release's threshold; the label is the column's number.
    _node(scope, container, "ArgMax", [scores], label, 13, axis=1, keepdims=0)


def _convert_regressor(scope: Any, operator: Any, container: Any) -> None:
    raw = _raw(scope, operator, container)
    link = type(operator.raw_operator._loss.link).__name__  # noqa: SLF001  (it has no public name)
    inverse = {"IdentityLink": "Identity", "LogLink": "Exp"}.get(link)
    if inverse is None:
        raise Unsupported(f"histogram boosting with the link {link} does not convert")
    _node(scope, container, inverse, [raw], operator.outputs[0].full_name, 13)


def _classifier_shape(operator: Any) -> None:
    from skl2onnx.common.data_types import DoubleTensorType, Int64TensorType

    rows = operator.inputs[0].get_first_dimension()
    operator.outputs[0].type = Int64TensorType([rows])
    operator.outputs[1].type = DoubleTensorType([rows, len(operator.raw_operator.classes_)])


def _regressor_shape(operator: Any) -> None:
    from skl2onnx.common.data_types import DoubleTensorType

    operator.outputs[0].type = DoubleTensorType([operator.inputs[0].get_first_dimension(), 1])
