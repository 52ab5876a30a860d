"""The types that a skops file may hold: a constant, vetted list, by the loader that builds them.

Vetted means: building the type and predicting with it runs no code and touches no memory that the
file chooses. Types whose native code trusts numbers of the file are here only where `checks`
looks at those numbers (trees, histogram boosting, one-hot encoding); support vector machines,
nearest neighbours and splines are left out for that reason. A stack adds its own types by name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping


def _under(module: str, names: str) -> frozenset[str]:
    return frozenset(f"{module}.{name}" for name in names.split())


OBJECTS: frozenset[str] = frozenset().union(
    _under("sklearn._loss.link", "HalfLogitLink IdentityLink Interval LogLink LogitLink"),
    _under("sklearn._loss.link", "MultinomialLogit"),
    _under(
        "sklearn._loss.loss",
        "AbsoluteError ExponentialLoss HalfBinomialLoss HalfGammaLoss HalfMultinomialLoss "
        "HalfPoissonLoss HalfSquaredError HalfTweedieLoss HalfTweedieLossIdentity HuberLoss "
        "PinballLoss",
    ),
    _under(
        "sklearn.calibration", "CalibratedClassifierCV _CalibratedClassifier _SigmoidCalibration"
    ),
    _under("sklearn.isotonic", "IsotonicRegression"),
    _under("sklearn.compose._column_transformer", "ColumnTransformer"),
    _under("sklearn.compose._target", "TransformedTargetRegressor"),
    _under("sklearn.decomposition._pca", "PCA"),
    _under("sklearn.decomposition._truncated_svd", "TruncatedSVD"),
    _under(
        "sklearn.discriminant_analysis", "LinearDiscriminantAnalysis QuadraticDiscriminantAnalysis"
    ),
    _under("sklearn.dummy", "DummyClassifier DummyRegressor"),
    _under("sklearn.ensemble._bagging", "BaggingClassifier BaggingRegressor"),
    _under(
        "sklearn.ensemble._forest",
        "ExtraTreesClassifier ExtraTreesRegressor RandomForestClassifier RandomForestRegressor",
    ),
    _under("sklearn.ensemble._gb", "GradientBoostingClassifier GradientBoostingRegressor"),
    _under("sklearn.ensemble._hist_gradient_boosting.binning", "_BinMapper"),
    _under(
        "sklearn.ensemble._hist_gradient_boosting.gradient_boosting",
        "HistGradientBoostingClassifier HistGradientBoostingRegressor",
    ),
    _under("sklearn.ensemble._hist_gradient_boosting.predictor", "TreePredictor"),
    _under("sklearn.ensemble._stacking", "StackingClassifier StackingRegressor"),
    _under("sklearn.ensemble._voting", "VotingClassifier VotingRegressor"),
    _under("sklearn.ensemble._weight_boosting", "AdaBoostClassifier AdaBoostRegressor"),
    _under("sklearn.feature_selection._variance_threshold", "VarianceThreshold"),
    _under("sklearn.impute._base", "MissingIndicator SimpleImputer"),
    _under("sklearn.linear_model._base", "LinearRegression"),
    _under("sklearn.linear_model._bayes", "ARDRegression BayesianRidge"),
    _under("sklearn.linear_model._coordinate_descent", "ElasticNet ElasticNetCV Lasso LassoCV"),
    _under("sklearn.linear_model._glm.glm", "GammaRegressor PoissonRegressor TweedieRegressor"),
    _under("sklearn.linear_model._huber", "HuberRegressor"),
    _under("sklearn.linear_model._logistic", "LogisticRegression LogisticRegressionCV"),
    _under("sklearn.linear_model._quantile", "QuantileRegressor"),
    _under("sklearn.linear_model._ridge", "Ridge RidgeClassifier RidgeCV"),
    _under("sklearn.linear_model._stochastic_gradient", "SGDClassifier SGDRegressor"),
    _under("sklearn.multiclass", "OneVsRestClassifier _ConstantPredictor"),
    _under("sklearn.naive_bayes", "BernoulliNB ComplementNB GaussianNB MultinomialNB"),
    _under("sklearn.neural_network._multilayer_perceptron", "MLPClassifier MLPRegressor"),
    _under("sklearn.neural_network._stochastic_optimizers", "AdamOptimizer SGDOptimizer"),
    _under("sklearn.pipeline", "FeatureUnion Pipeline"),
    _under(
        "sklearn.preprocessing._data",
        "Binarizer MaxAbsScaler MinMaxScaler Normalizer PowerTransformer QuantileTransformer "
        "RobustScaler StandardScaler",
    ),
    _under("sklearn.preprocessing._discretization", "KBinsDiscretizer"),
    _under("sklearn.preprocessing._encoders", "OneHotEncoder OrdinalEncoder"),
    _under("sklearn.preprocessing._function_transformer", "FunctionTransformer"),
    _under("sklearn.preprocessing._label", "LabelBinarizer LabelEncoder"),
    _under("sklearn.preprocessing._polynomial", "PolynomialFeatures"),
    _under("sklearn.preprocessing._target_encoder", "TargetEncoder"),
    _under("sklearn.svm._classes", "LinearSVC LinearSVR"),
    _under(
        "sklearn.tree._classes",
        "DecisionTreeClassifier DecisionTreeRegressor ExtraTreeClassifier ExtraTreeRegressor",
    ),
)
"""Estimators and their parts, built empty and given their attributes."""

_SCALARS = _under(
    "numpy", "bool float32 float64 int8 int16 int32 int64 str_ uint8 uint16 uint32 uint64"
)
_LOSSES = _under(
    "sklearn._loss._loss",
    "CyAbsoluteError CyExponentialLoss CyHalfBinomialLoss CyHalfGammaLoss CyHalfMultinomialLoss "
    "CyHalfPoissonLoss CyHalfSquaredError CyHalfTweedieLoss CyHalfTweedieLossIdentity CyHuberLoss "
    "CyPinballLoss",
) | _under(
    "sklearn.linear_model._sgd_fast",
    "EpsilonInsensitive Hinge ModifiedHuber SquaredEpsilonInsensitive SquaredHinge",
)
_FUNCTIONS = _under(
    "numpy", "abs absolute arcsinh cbrt cos exp expm1 log log10 log1p log2 sin sqrt square tanh"
) | {
    # Histogram boosting with `categorical_features` keeps a partial of it.
    "sklearn.utils.validation.check_array"
}

BY_LOADER: Mapping[str, frozenset[str]] = {
    "BytesNode": frozenset({"builtins.bytes"}),
    "DTypeNode": frozenset({"numpy.dtype"}),
    "DictNode": frozenset({"builtins.dict", "sklearn.utils._bunch.Bunch"}),
    "FunctionNode": _FUNCTIONS,
    "ListNode": frozenset({"builtins.list"}),
    "LossNode": _LOSSES,
    "NdArrayNode": _SCALARS | {"numpy.ndarray"},
    "ObjectNode": OBJECTS,
    "PartialNode": frozenset({"functools.partial"}),
    "RandomGeneratorNode": frozenset({"numpy.random._generator.Generator"}),
    "RandomStateNode": frozenset({"numpy.random.mtrand.RandomState"}),
    "SetNode": frozenset({"builtins.set"}),
    "SliceNode": frozenset({"builtins.slice"}),
    "TreeNode": frozenset({"sklearn.tree._tree.Tree"}),
    "TupleNode": frozenset({"builtins.tuple"}),
    "TypeNode": _SCALARS | _under("builtins", "bool float int str"),
}
"""What each of skops' loaders may build. ``JsonNode`` builds plain values and needs no list; a
loader that is absent (methods, operators, sparse matrices, arbitrary constructors) is refused."""

EXTENSIBLE = ("ConstructorFromReduceNode", "FunctionNode", "ObjectNode", "TypeNode")
"""The loaders of types that a stack names in ``allow``."""


def allowed_types(extra: Iterable[str] = ()) -> dict[str, frozenset[str]]:
    """What each loader may build, with a stack's own types.

    >>> "os.system" in allowed_types()["TypeNode"]
    False
    >>> "shop.features.Ratio" in allowed_types(["shop.features.Ratio"])["ObjectNode"]
    True
    """
    named = frozenset(extra)
    return {
        loader: BY_LOADER.get(loader, frozenset()) | (named if loader in EXTENSIBLE else set())
        for loader in {*BY_LOADER, *EXTENSIBLE}
    }
