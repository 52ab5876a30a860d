"""Models in the skops format: written in a canonical form, opened behind guards."""

from __future__ import annotations

from typing import Any

import attrs

from interlock_hookspecs import (
    InvalidInput,
    Model,
    Predictor,
    Signature,
    Workspace,
    hookimpl,
    plugin,
    setting,
)

__all__ = ["SkopsModel"]

LIBRARIES = ("scikit-learn", "skops", "numpy")


def _dotted(_: object, attribute: attrs.Attribute[Any], value: Any) -> None:
    if any(not isinstance(name, str) or "." not in name for name in value):
        raise ValueError(f"{attribute.name}: expected dotted names, for example 'shop.Ratio'")


@plugin(contract="1.0")
class SkopsModel:
    """Writes and opens models of the format ``skops``."""

    allow: tuple[str, ...] = setting(
        (),
        doc="types that a file may hold beyond the vetted ones of scikit-learn and numpy, as "
        "dotted names of the module that defines them; their code runs when a model is opened",
        validator=_dotted,
    )
    isolated: bool = setting(
        default=False,
        doc="open a file in a child process with limits on memory and time before opening it "
        "here; adds the start of a process, about 3 s",
    )
    max_bytes: int = setting(
        1 << 30,
        doc="how many bytes a file, and what it makes in memory, may have",
        validator=attrs.validators.gt(0),
    )

    @hookimpl
    def write_model(self, format: str, fitted: Any, signature: Signature, ws: Workspace) -> Model:  # noqa: A002  (the contract's word)
        from importlib.metadata import version

        from interlock_model_skops.opening import dump_checked
        from interlock_model_skops.predictor import class_order

        class_order(signature, fitted)
        path = ws.scratch() / "model.skops"
        path.write_bytes(dump_checked(fitted, allow=self.allow, max_bytes=self.max_bytes))
        versions = {name: version(name) for name in LIBRARIES}
        kind = type(fitted)
        return Model(
            format=format,
            artifact=ws.keep(path),
            signature=signature,
            requirements=tuple(f"{name}=={number}" for name, number in versions.items()),
            facts={"estimator": f"{kind.__module__}.{kind.__qualname__}", **versions},
        )

    @hookimpl
    def open_model(self, model: Model, ws: Workspace) -> Predictor:
        from interlock_model_skops.inspection import inspect_file
        from interlock_model_skops.opening import load_checked, read_file
        from interlock_model_skops.predictor import SkopsPredictor

        path = ws.locate(model.artifact)  # its digest is checked there, before anything is read
        guards: Any = {"allow": self.allow, "max_bytes": self.max_bytes}
        try:
            if self.isolated:
                inspect_file(path, **guards)
            fitted = load_checked(read_file(path, self.max_bytes), **guards)
        except InvalidInput as error:
            raise InvalidInput(f"{model.artifact.name} is not opened: {error}") from error
        self._compare_versions(model, ws)
        return SkopsPredictor(model.signature, fitted)

    def _compare_versions(self, model: Model, ws: Workspace) -> None:
        """Another scikit-learn may predict otherwise; the person who upgrades is told."""
        from importlib.metadata import version

        written, here = model.facts.get("scikit-learn"), version("scikit-learn")
        if written is not None and written != here:
            ws.log.warning(
                "%s was written by scikit-learn %s and is opened by %s",
                model.artifact.name,
                written,
                here,
            )
