"""deploy-seldon keeps every promise that the contract makes of a server of ours, with MLServer."""

import importlib
import sys

import attrs
import pytest

from interlock_deploy_seldon import SeldonServer
from interlock_hookspecs.conformance.deploy import DeploySuite
from interlock_hookspecs.conformance.released import SIGNATURE

pytestmark = pytest.mark.real_backend

# An estimator of one's own, which MLServer's environment has as well: what the suite's models say.
MODULE = """
import time

import numpy as np


class Share:
    classes_ = np.array(["no", "yes"])

    def __init__(self, number, seconds):
        self.number = number
        self.seconds = seconds

    def predict_proba(self, matrix):
        time.sleep(self.seconds)
        values = [0.0 if value != value else float(value) for value in matrix[:, 0]]
        if self.number == 9 or -13.0 in values:
            raise ZeroDivisionError("the model divides by zero")
        scores = np.array([self.number / 10 + value / 1000 for value in values])
        return np.column_stack([1 - scores, scores])
"""


@attrs.frozen
class Opened:
    """What the opener of a format gives: the estimator, and what it takes and gives."""

    fitted: object
    signature: object = SIGNATURE

    def predict(self, rows):
        raise AssertionError("MLServer was to be asked")


@pytest.fixture(scope="module", autouse=True)
def estimator(joined_mlserver):
    """The module of that estimator, here and in MLServer's environment."""
    (joined_mlserver.modules / "conformance_share.py").write_text(MODULE)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(joined_mlserver.modules)
        yield
    sys.modules.pop("conformance_share", None)


class TestSeldonServer(DeploySuite):
    @pytest.fixture
    def plugin(self, joined_mlserver):
        return SeldonServer(url=joined_mlserver.url, repository=joined_mlserver.repository)

    def predictor(self, number, seconds):
        share = importlib.import_module("conformance_share").Share
        return Opened(share(number, seconds))
