"""The JSON Schema of the stack file accepts what the reader accepts."""

import tomllib

import jsonschema
import pytest

from interlock.stack import init_template, stack_schema
from interlock_hookspecs import Secret, plugin, setting

pytestmark = pytest.mark.schema


@plugin(contract="1.0")
class Sklearn:
    """Fits scikit-learn estimators."""

    estimator: str = setting(doc="dotted path of the estimator")
    folds: int = setting(5, doc="of cross-validation")
    port: int | Secret[int] = setting(80, doc="where")
    token: Secret[str] | None = setting(None, doc="who")


CLASSES = {"train-sklearn": Sklearn}
EXAMPLE = """\
include = ["../platform/stacks.toml"]
[project]
name = "employment"
module = "project.py"
[model]
owner = "labour-insights"
[task]
dataset = "data/2015.parquet"
kind = "binary"
positive = 1
exclude = ["prediction"]
holdout = 0.25
[policy]
approvals = 1
offline_grace = "1h"
[policy.bounds]
"metrics.roc_auc" = ">= 0.85"
"fairness.selection_rate_ratio[RAC1P]" = { bound = ">= 0.80", severity = "explain" }
[stack.dev]
data = "files"
train = "sklearn"
validate = ["metrics", "fairness"]
ledger = "sqlite:///.interlock/ledger.db"
[stack.dev.train-sklearn]
estimator = "sklearn.ensemble.HistGradientBoostingClassifier"
port = "${PORT}"
token = "${TOKEN}"
[stack.prod]
extends = "dev"
ledger = "${LEDGER_URL}"
"""


@pytest.fixture(scope="module")
def validator():
    schema = stack_schema(CLASSES)
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize(
    "text", [EXAMPLE, init_template("x"), init_template("x", kind="regression")]
)
def test_right_files_validate(validator, text):
    """The design's example and what ``init`` writes are valid."""
    validator.validate(tomllib.loads(text))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("kind =", "knd ="),
        ("[model]", "[modle]"),
        ("holdout = 0.25", "holdout = 1.5"),
        ("positive = 1", "positive = 1.5"),
        ('train = "sklearn"', 'train = ["a", "b"]'),
        ("[stack.dev.train-sklearn]", "[stack.dev.train-sklern]"),
        ("estimator =", "estimater ="),
        ('port = "${PORT}"', 'port = "80"'),
        ('token = "${TOKEN}"', 'token = "plain"'),
        ('severity = "explain"', 'severity = "warn"'),
        ('dataset = "data/2015.parquet"\n', ""),
        ('"metrics.roc_auc"', '"roc_auc"'),
    ],
)
def test_wrong_files_do_not_validate(validator, old, new):
    """A misspelled key, a wrong type and an unknown plugin are invalid."""
    assert old in EXAMPLE
    assert not validator.is_valid(tomllib.loads(EXAMPLE.replace(old, new)))


def test_settings_carry_docs_and_defaults():
    """An editor shows what a setting does and what it is by default."""
    stack = stack_schema(CLASSES)["properties"]["stack"]["additionalProperties"]
    settings = stack["properties"]["train-sklearn"]
    assert settings["description"] == "Fits scikit-learn estimators."
    assert settings["properties"]["folds"] == {
        "type": "integer",
        "description": "of cross-validation",
        "default": 5,
    }
