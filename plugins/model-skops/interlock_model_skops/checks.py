"""What a loaded model must satisfy before it predicts: scikit-learn's native code trusts it.

A child that points to its parent makes prediction loop for ever; one that points outside, or a
feature, bitset or output that is not there, makes it read or write foreign memory. Nodes are
written parents first, so a child is always greater than its parent, and no walk can loop.
All nodes of a model's trees are looked at together, as columns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from interlock_hookspecs import InvalidInput

_LEAVES = (str, bytes, int, float, bool, type(None), type)


def check_model(fitted: Any) -> None:
    """Refuse a loaded object whose parts do not fit each other.

    Raises:
        InvalidInput: naming the part.
    """
    checks = _checks()
    for part in reachable(fitted):
        refuse_memory(part)
        needed, check = checks.get(f"{type(part).__module__}.{type(part).__qualname__}", ("", None))
        if check is not None and needed in vars(part):
            check(part)


def reachable(root: Any) -> Iterator[Any]:
    """Every object that a fitted object holds, itself first, each once."""
    import numpy as np

    seen: set[int] = set()
    pending = [root]
    while pending:
        value = pending.pop()
        if isinstance(value, _LEAVES) or id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, np.ndarray):
            if value.dtype == object:
                pending.extend(value.ravel().tolist())
            continue
        yield value
        if isinstance(value, dict):
            pending.extend(value.values())
        elif isinstance(value, list | tuple | set | frozenset):
            pending.extend(value)
        pending.extend(getattr(value, "__dict__", {}).values())


def refuse_memory(part: Any) -> None:
    """A pipeline's cache folder holds pickles, which a fit would load."""
    if getattr(part, "__dict__", {}).get("memory") is not None:
        raise InvalidInput(f"{type(part).__name__} has `memory` set: pickles are not used")


def _checks() -> dict[str, tuple[str, Callable[[Any], None]]]:
    """By type: the attribute without which a part is not fitted and runs nothing, and its check."""
    tree, gradient = "sklearn.tree._classes.", "sklearn.ensemble._gb."
    hist = "sklearn.ensemble._hist_gradient_boosting.gradient_boosting."
    return {
        f"{tree}DecisionTreeClassifier": ("tree_", _check_tree),
        f"{tree}DecisionTreeRegressor": ("tree_", _check_tree),
        f"{tree}ExtraTreeClassifier": ("tree_", _check_tree),
        f"{tree}ExtraTreeRegressor": ("tree_", _check_tree),
        f"{gradient}GradientBoostingClassifier": ("estimators_", _check_gradient_boosting),
        f"{gradient}GradientBoostingRegressor": ("estimators_", _check_gradient_boosting),
        f"{hist}HistGradientBoostingClassifier": ("_predictors", _check_histogram_boosting),
        f"{hist}HistGradientBoostingRegressor": ("_predictors", _check_histogram_boosting),
        "sklearn.preprocessing._encoders.OneHotEncoder": ("categories_", _check_one_hot),
    }


def _refuse_unless(holds: Any, what: str) -> None:
    if not holds:
        raise InvalidInput(f"its trees are not sound: {what}")


def _check_tree(estimator: Any) -> None:
    import numpy as np
    from sklearn.tree._tree import Tree

    tree = estimator.tree_
    _refuse_unless(type(tree) is Tree and tree.node_count > 0, "one has no nodes")
    left, right = tree.children_left, tree.children_right
    inner = np.flatnonzero(left != -1)
    feature = tree.feature[inner]
    _refuse_unless(
        (left[inner] > inner).all()
        and (right[inner] > inner).all()
        and (left[inner] < tree.node_count).all()
        and (right[inner] < tree.node_count).all(),
        "a child is not after its parent, or outside",
    )
    features = estimator.n_features_in_
    _refuse_unless(((feature >= 0) & (feature < features)).all(), "a feature is outside")
    _refuse_unless(
        np.isfinite(tree.value).all() and not np.isnan(tree.threshold[inner]).any(),
        "a value is not finite",
    )


def _check_gradient_boosting(estimator: Any) -> None:
    import numpy as np
    from sklearn.tree import DecisionTreeRegressor

    trees = estimator.estimators_
    _refuse_unless(isinstance(trees, np.ndarray) and trees.ndim == 2, "they are no table")  # noqa: PLR2004  (iterations by outputs)
    for tree in trees.ravel():
        # Its native loop reads the trees directly, past their own checks of the input.
        _refuse_unless(
            type(tree) is DecisionTreeRegressor
            and tree.n_features_in_ <= estimator.n_features_in_
            and tree.tree_.n_outputs == 1,
            "one takes or gives what the model does not",
        )
    row = np.zeros((1, estimator.n_features_in_), np.float32)
    start = estimator._raw_predict_init(row)  # noqa: SLF001  (the array that the native loop writes to)
    _refuse_unless(start.shape == (1, trees.shape[1]), "there are not as many as outputs")


def _check_histogram_boosting(estimator: Any) -> None:
    import numpy as np
    from sklearn.ensemble._hist_gradient_boosting.common import PREDICTOR_RECORD_DTYPE
    from sklearn.ensemble._hist_gradient_boosting.predictor import TreePredictor

    predictors = [tree for iteration in estimator._predictors for tree in iteration]  # noqa: SLF001  (no public way in)
    for tree in predictors:
        nodes = tree.nodes if type(tree) is TreePredictor else None
        _refuse_unless(
            isinstance(nodes, np.ndarray)
            and nodes.dtype == PREDICTOR_RECORD_DTYPE
            and nodes.ndim == 1
            and nodes.size > 0,
            "one has no nodes",
        )
    sizes = np.array([len(tree.nodes) for tree in predictors], np.int64)
    if not sizes.size:
        return
    nodes = np.concatenate([tree.nodes for tree in predictors])
    owner = np.repeat(np.arange(len(sizes)), sizes)
    place = np.arange(len(nodes)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    inner = np.flatnonzero(nodes["is_leaf"] == 0)
    for side in ("left", "right"):
        child = nodes[side][inner].astype(np.int64)
        _refuse_unless(
            ((child > place[inner]) & (child < sizes[owner[inner]])).all(),
            "a child is not after its parent, or outside",
        )
    feature = nodes["feature_idx"][inner]
    categorical = np.asarray(estimator._bin_mapper.is_categorical_)  # noqa: SLF001  (no public way in)
    _refuse_unless(
        categorical.dtype.kind in "bu" and categorical.shape == (_width(estimator),),
        "they were made for another number of features",
    )
    _refuse_unless(((feature >= 0) & (feature < categorical.size)).all(), "a feature is outside")
    _refuse_unless(
        np.isfinite(nodes["value"]).all() and not np.isnan(nodes["num_threshold"][inner]).any(),
        "a value is not finite",
    )
    chosen = inner[nodes["is_categorical"][inner] != 0]
    if chosen.size:
        sets = np.array([_bitsets(tree) for tree in predictors])
        _refuse_unless(
            (categorical[nodes["feature_idx"][chosen]] != 0).all()
            and (nodes["bitset_idx"][chosen] < sets[owner[chosen]]).all(),
            "a set of categories is outside",
        )


def _width(estimator: Any) -> int:
    """How many columns histogram boosting hands to its trees."""
    import numpy as np

    features = int(estimator.n_features_in_)
    prepare = estimator._preprocessor  # noqa: SLF001  (no public way in)
    if prepare is None:
        return features
    return int(prepare.transform(np.full((1, features), np.nan)).shape[1])


def _bitsets(tree: Any) -> int:
    import numpy as np

    sets = tree.raw_left_cat_bitsets
    _refuse_unless(
        isinstance(sets, np.ndarray) and sets.ndim == 2 and sets.shape[1] == 8,  # noqa: PLR2004  (8 words of 32 bits)
        "a set of categories is malformed",
    )
    return len(sets)


def _check_one_hot(encoder: Any) -> None:
    """Its output's columns are counted once and written to without a look at the count."""
    import numpy as np

    counts = [len(categories) for categories in encoder.categories_]
    widths = [int(width) for width in encoder._n_features_outs]  # noqa: SLF001  (no public way in)
    drop = encoder.drop_idx_
    grouped = encoder._infrequent_enabled  # noqa: SLF001  (no public way in)
    groups = encoder._default_to_infrequent_mappings if grouped else [None] * len(counts)  # noqa: SLF001
    if drop is None:
        drop = [None] * len(counts)
    sound = len(counts) == len(widths) == len(drop) == len(groups)
    for count, width, dropped, group in zip(counts, widths, drop, groups, strict=False):
        codes = count
        if group is not None:
            mapping = np.asarray(group)
            codes = int(mapping.max()) + 1
            sound = sound and mapping.shape == (count,) and int(mapping.min()) >= 0
        if dropped is not None:
            sound = sound and 0 <= dropped < codes
            codes -= 1
        sound = sound and width == codes
    if not sound:
        raise InvalidInput("a OneHotEncoder's columns do not fit its categories")
