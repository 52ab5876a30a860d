"""Which model answers: the targets of an endpoint at one moment, as a value that is swapped."""

from __future__ import annotations

import asyncio
import bisect
import itertools
import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import attrs

from interlock_hookspecs import NotFound, OpenTarget, Unavailable, Unsupported
from interlock_serving.v2.protocol import shown

if TYPE_CHECKING:
    from interlock_serving.models.batching import Batcher


_TOGETHER = 16
"""How many requests one draw decides about, at most.

Of a burst that fails for its client's fault, fewer than a rollout takes for proof.
"""


@attrs.frozen(eq=False)
class Router:
    """The models behind an endpoint, from one change of targets to the next.

    Attributes:
        models: those that answer, in the endpoint's order.
        mirrors: those that get copies of requests.
        bounds: for each of ``models``, the sum of weights up to and with it.
        problem: why a target is not served, in one sentence; empty where all are.
    """

    models: tuple[Batcher, ...] = ()
    mirrors: tuple[Batcher, ...] = ()
    bounds: tuple[float, ...] = ()
    problem: str = ""

    @property
    def taking(self) -> bool:
        """Whether requests that name no version find a model."""
        return bool(self.bounds) and self.bounds[-1] > 0

    @property
    def versions(self) -> tuple[str, ...]:
        """The releases that can be asked."""
        return tuple(model.release.id for model in self.models)

    def traffic(self) -> list[dict[str, Any]]:
        """What each model and mirror was asked, and how that went, with its weight now."""
        starts = (0.0, *self.bounds)
        counted = [
            {
                "release": model.release.id,
                "mirror": False,
                "weight": end - start,
                **model.tally.said(),
            }
            for model, start, end in zip(self.models, starts, self.bounds, strict=False)
        ]
        for mirror in self.mirrors:
            about = {"release": mirror.release.id, "mirror": True, "weight": 0.0}
            counted.append({**about, **mirror.tally.said()})
        return counted

    def choose(self, share: float) -> Batcher:
        """A model by weight, always the same for the same ``share``.

        Args:
            share: from 0 to under 1. Weights that move a border move only the keys beside it.

        Raises:
            Unavailable: nothing is served.
        """
        bounds = self.bounds
        if not bounds or bounds[-1] <= 0:
            raise Unavailable(self.problem or "no release is served here")
        if len(self.models) == 1:
            return self.models[0]
        return self.models[bisect.bisect_right(bounds, share * bounds[-1])]

    def asked_of(self, version: str | None) -> Batcher:
        """The model that what is asked without rows is told of.

        Raises:
            NotFound, Unavailable: no such version, or nothing is served.
        """
        return self.choose(0.0) if version is None else self.version(version)

    def version(self, name: str) -> Batcher:
        """The model of a release, by its id or by its number; the newest where two share one.

        Raises:
            NotFound: none answers to it. A mirror does not: its answers go nowhere.
        """
        found = [model for model in self.models if name in (model.release.id, model.release.number)]
        if not found:
            here = ", ".join(self.versions) or "none"
            raise NotFound(f"version {shown(name)} is not served; these are: {here}")
        return max(found, key=lambda model: model.release.at)


class Draws:
    """Which models requests without a sticky key go to. Asked on the event loop.

    Those that come in one tick go together, up to a number. Each has its chance, as if it were
    alone; but a batch that is divided costs as two, and a release with few requests would answer
    them one by one, so that its latency would not compare with that of a release with many.
    """

    _router: Router | None = None
    _model: Batcher
    _left = 0
    _forgetting = False

    def next(self, router: Router) -> Batcher:
        """A model by weight.

        Raises:
            Unavailable: nothing is served.
        """
        if self._left and router is self._router:
            self._left -= 1
            return self._model
        self._model = model = router.choose(random.random())  # noqa: S311  (a split, no secret)
        self._router, self._left = router, _TOGETHER - 1
        if not self._forgetting:
            self._forgetting = True
            asyncio.get_running_loop().call_soon(self._forget)
        return model

    def _forget(self) -> None:
        # Not kept for the next tick: what is served no longer is to be freed.
        self._router = None
        del self._model
        self._left = 0
        self._forgetting = False


def route(
    targets: tuple[OpenTarget, ...], before: Router, start: Callable[[OpenTarget], Batcher]
) -> Router:
    """The router for new targets; a model that was open before keeps its queue.

    Args:
        targets: what to serve from now on.
        before: what was served.
        start: puts a model behind a queue.
    """
    known = (*before.models, *before.mirrors)
    models: list[Batcher] = []
    mirrors: list[Batcher] = []
    weights: list[float] = []
    problem = ""
    for target in targets:
        same = (model for model in known if _is_same(model, target))
        try:
            batcher = next(same, None) or start(target)
        except Unsupported as error:
            problem = f"{target.target.release.id} cannot be served: {error}"
            continue
        if target.target.mirror:
            mirrors.append(batcher)
        else:
            models.append(batcher)
            weights.append(max(target.target.weight, 0.0))
    return Router(
        models=tuple(models),
        mirrors=tuple(mirrors),
        bounds=tuple(itertools.accumulate(weights)),
        problem=problem,
    )


def dropped(before: Router, after: Router) -> list[Batcher]:
    """The models that are served no longer."""
    kept = {id(model) for model in (*after.models, *after.mirrors)}
    return [model for model in (*before.models, *before.mirrors) if id(model) not in kept]


def _is_same(model: Batcher, target: OpenTarget) -> bool:
    return (
        model.predictor is target.predictor
        and model.release == target.target.release
        and model.mirror == target.target.mirror
    )
