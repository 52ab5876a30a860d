"""What the suite of a model format needs to be told: a model of each kind to write."""

from __future__ import annotations

import random
from typing import Any

import pytest

from interlock_hookspecs import Field, Signature
from interlock_hookspecs.conformance.model import ModelSuite
from interlock_model_acme import AcmeFormat, Linear

CLASSES = {"binary": (0, 1), "multiclass": ("a", "b", "c")}


class AcmeFormatSuite(ModelSuite):
    """The promises of the format, with linear models of two inputs."""

    format = "acme"

    @pytest.fixture
    def plugin(self) -> AcmeFormat:
        """The plugin under test."""
        return AcmeFormat()

    def fitted(self, _plugin: Any, kind: str, seed: int) -> tuple[Any, Signature]:
        """Weights that are drawn, in place of a fit."""
        draw = random.Random(seed)  # noqa: S311  (no secret is made of it)
        names = {"binary": ["score"], "regression": ["prediction"]}
        outputs = names.get(kind) or [f"score[{label}]" for label in CLASSES[kind]]
        linear = Linear(
            weights=tuple((draw.gauss(0, 1), draw.gauss(0, 0.01)) for _ in outputs),
            intercepts=tuple(draw.gauss(0, 1) for _ in outputs),
        )
        return linear, Signature(
            kind=kind,
            inputs=(Field(name="x", type="double"), Field(name="größe [cm]", type="int64")),
            outputs=tuple(Field(name=name, type="double", nullable=False) for name in outputs),
            classes=CLASSES.get(kind, ()),
            positive=1 if kind == "binary" else None,
        )
