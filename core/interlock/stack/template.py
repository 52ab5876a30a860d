"""The stack file that ``init`` writes."""

from __future__ import annotations

import json

_BOUNDS = {
    "binary": ("metrics.roc_auc", ">= 0.7"),
    "multiclass": ("metrics.accuracy", ">= 0.7"),
    "regression": ("metrics.r2", ">= 0.5"),
}
_ESTIMATORS = {
    "binary": "sklearn.ensemble.HistGradientBoostingClassifier",
    "multiclass": "sklearn.ensemble.HistGradientBoostingClassifier",
    "regression": "sklearn.ensemble.HistGradientBoostingRegressor",
}
_TEXT = """\
# The stack file: what is learnt, by which rules it is released, and which tool does what.
# `interlock stack show --origin` says what is in force and where it comes from.

[project]
name = {name}
# module = "project.py"          # your own features, estimators and checks, beside this file

[model]                           # said on the model card
# owner = "who answers for the model"
# purpose = "what it is for"

[task]
dataset = {dataset}
target = {target}
kind = {kind}
{positive}# id = "id"                       # names a row; decides what is held out
# time = "at"                     # when a row happened: a time with its zone, or a number
# exclude = ["column"]            # not features
# sensitive = ["column"]          # groups to compare for fairness

[policy]
approvals = 0                     # how many people must approve before a release; try 1

[policy.bounds]                   # nothing is released without a bound that holds
{bound}

# One word per stage. To swap a tool, change its word.
[stack.dev]
data = "files"
train = "sklearn"
validate = ["metrics"]            # with [task] sensitive, add "fairness"
registry = "sql"
govern = ["policy", "card"]
deploy = "local"
monitor = ["drift", "performance"]

[stack.dev.train-sklearn]         # settings of one plugin; `interlock plugins list` names them
estimator = {estimator}

# A second stack starts from the first and says what differs. Secrets and hosts come from the
# environment: they are never printed and never recorded.
# [stack.prod]
# extends = "dev"
# ledger = "${{LEDGER_URL}}"
"""


def init_template(
    name: str,
    *,
    dataset: str = "data.parquet",
    target: str = "target",
    kind: str = "binary",
) -> str:
    """The text of a new stack file, over the embedded plugins.

    Args:
        name: the project's.
        dataset: where the rows are.
        target: the column to predict.
        kind: ``binary``, ``multiclass`` or ``regression``.

    Raises:
        KeyError: another kind.
    """
    key, bound = _BOUNDS[kind]
    # JSON's escapes of a text are TOML's.
    texts = {
        "name": name,
        "dataset": dataset,
        "target": target,
        "kind": kind,
        "estimator": _ESTIMATORS[kind],
    }
    quoted = {word: json.dumps(text, ensure_ascii=False) for word, text in texts.items()}
    positive = "positive = 1                      # the target's value that counts\n"
    return _TEXT.format(
        **quoted,
        positive=positive if kind == "binary" else "",
        bound=f'"{key}" = "{bound}"',
    )
