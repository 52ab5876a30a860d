"""Models that are good until a file ``bad`` lies in the working folder: no check sees it coming."""

import time
from pathlib import Path
from typing import Any

from sklearn.tree import DecisionTreeClassifier

BAD = Path("bad")
LATE_SECONDS = 0.4


class CanaryFault(RuntimeError):  # noqa: N818  (read in an answer: the model failed: CanaryFault)
    """What a model raises that fails."""


class Failing(DecisionTreeClassifier):
    """Answers nothing."""

    def predict_proba(self, X: Any, **keywords: Any) -> Any:  # noqa: N803  (scikit-learn's name)
        """Scores, or an error."""
        if BAD.exists():
            raise CanaryFault
        return super().predict_proba(X, **keywords)


class Late(DecisionTreeClassifier):
    """Answers late."""

    def predict_proba(self, X: Any, **keywords: Any) -> Any:  # noqa: N803  (scikit-learn's name)
        """Scores, in time or not."""
        if BAD.exists():
            time.sleep(LATE_SECONDS)
        return super().predict_proba(X, **keywords)


class Wrong(DecisionTreeClassifier):
    """Answers the opposite."""

    def predict_proba(self, X: Any, **keywords: Any) -> Any:  # noqa: N803  (scikit-learn's name)
        """Scores, or those of the other class."""
        scores = super().predict_proba(X, **keywords)
        return scores[:, ::-1] if BAD.exists() else scores
