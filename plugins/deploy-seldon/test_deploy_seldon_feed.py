"""What our server is handed while models come to MLServer and leave it."""

import contextlib
import time

import numpy as np
import pyarrow as pa
import pytest
from sklearn.linear_model import LinearRegression

from interlock_deploy_seldon.mlserver.api import Api
from interlock_deploy_seldon.mlserver.feed import RemoteFeed
from interlock_deploy_seldon.mlserver.repository import Repository
from interlock_hookspecs import Field, OpenTarget, PluginError, Signature, Unsupported
from interlock_hookspecs.conformance.released import Share, target_of
from interlock_hookspecs.conformance.workspace import LocalWorkspace
from interlock_model_skops import SkopsModel

pytestmark = pytest.mark.real_backend
PATIENCE = 120.0
SIGNATURE = Signature(
    kind="regression",
    inputs=(Field(name="x", type="double"),),
    outputs=(Field(name="prediction", type="double"),),
)
ROWS = pa.table({"x": [1.0, 2.0]})


class Feed:
    """Core's feed, as far as it is asked."""

    def __init__(self, *targets):
        self.current = targets
        self.problem = ""
        self._watchers = []

    def watch(self, changed):
        self._watchers.append(changed)

    def started(self, address):
        pass

    def change(self, *targets):
        self.current = targets
        for changed in self._watchers:
            changed()


@pytest.fixture
def ws(tmp_path):
    return LocalWorkspace(tmp_path / "workspace", openers={"skops": SkopsModel()})


@pytest.fixture
def opened(ws):
    """The target of a release whose model multiplies by its number."""

    def make(number, **target):
        fitted = LinearRegression().fit(np.array([[1.0], [2.0]]), [number, 2.0 * number])
        model = ws.write_model("skops", fitted, SIGNATURE)
        return OpenTarget(
            target=target_of(number, model=model, **target), predictor=ws.open_model(model)
        )

    return make


@pytest.fixture
def remote(joined_mlserver, ws):
    """Our feed over core's, as a server has it."""
    with contextlib.closing(Api(lambda: joined_mlserver.url, 60.0, 60.0)) as api:
        repository = Repository(joined_mlserver.repository, api)
        yield lambda feed: RemoteFeed(feed, repository, api, ws)


def until(holds):
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, "it never came to be"
        time.sleep(0.02)


def released(feed):
    return [one.target.release.id for one in feed.current]


def test_what_is_served_goes_on_until_the_next_is_there(remote, opened, joined_mlserver):
    """A release that MLServer cannot have is told as a problem, and takes nobody's place."""
    feed = Feed(opened(1))
    with remote(feed) as ours:
        (first,) = ours.current
        feed.change(opened(1), OpenTarget(target=target_of(2), predictor=Share(2)))
        until(lambda: "'share' is none" in ours.problem)
        assert ours.current == (first,)
        assert first.predictor.predict(ROWS)["prediction"].to_pylist() == pytest.approx([1.0, 2.0])
        feed.problem = "the ledger cannot be read"
        assert ours.problem.startswith("the ledger cannot be read; MLServer is given")
        feed.change(opened(3))
        until(lambda: released(ours) == ["release-3"])
        assert ours.problem == "the ledger cannot be read"
        # Nobody entered the first one: it goes a moment later.
        until(lambda: len(joined_mlserver.models()) == 1)
    assert joined_mlserver.models() == set()


def test_a_model_leaves_when_its_last_answer_was_given(remote, opened, joined_mlserver):
    """As long as somebody may still ask it, it stays, whatever is served since."""
    one, two = opened(1), opened(2)
    feed, told = Feed(one), []
    with remote(feed) as ours:
        ours.watch(lambda: told.append(released(ours)))
        first = ours.current[0].predictor
        first.enter()
        feed.change(two)
        until(lambda: told == [["release-2"]])
        # Longer than one that nobody asks would stay.
        time.sleep(4)
        assert len(joined_mlserver.models()) == 2
        assert first.predict(ROWS)["prediction"].to_pylist() == pytest.approx([1.0, 2.0])
        # It may come back: the same predictor, so that its queue and its counts go on.
        feed.change(one, two)
        until(lambda: released(ours) == ["release-1", "release-2"])
        assert ours.current[0].predictor is first
        feed.change(two)
        until(lambda: released(ours) == ["release-2"])
        first.leave()
        until(lambda: len(joined_mlserver.models()) == 1)
    assert joined_mlserver.models() == set()


def test_a_change_of_weights_loads_nothing(remote, opened):
    """The same models with other shares keep their predictors."""
    half, rest = opened(1, weight=0.5), opened(2, weight=0.5)
    feed = Feed(half, rest)
    with remote(feed) as ours:
        before = [one.predictor for one in ours.current]
        feed.change(
            OpenTarget(target=target_of(1, model=half.target.model, weight=0.2),
                       predictor=half.predictor),
            OpenTarget(target=target_of(2, model=rest.target.model, weight=0.8),
                       predictor=rest.predictor),
        )  # fmt: skip
        until(lambda: [one.target.weight for one in ours.current] == [0.2, 0.8])
        assert [one.predictor for one in ours.current] == before


def test_what_cannot_be_served_at_first_ends_the_call(remote, opened, joined_mlserver):
    """An endpoint whose first release MLServer cannot have does not begin, and leaves nothing."""
    feed = Feed(opened(1), OpenTarget(target=target_of(2), predictor=Share(2)))
    with pytest.raises(Unsupported, match="'share' is none"), remote(feed):
        pass
    assert joined_mlserver.models() == set()


def test_a_model_that_mlserver_lost_is_loaded_again(remote, opened, joined_mlserver, ws):
    """Somebody unloads it behind our back: requests are told to come again, and soon it is back."""
    with remote(Feed(opened(1))) as ours:
        predictor = ours.current[0].predictor
        with contextlib.closing(Api(lambda: joined_mlserver.url, 60.0, 60.0)) as api:
            api.unload(predictor.held.name)
        with pytest.raises(PluginError, match="has not loaded the model again yet"):
            predictor.predict(ROWS)
        until(lambda: joined_mlserver.models() == {predictor.held.name})
        assert predictor.predict(ROWS)["prediction"].to_pylist() == pytest.approx([1.0, 2.0])
        until(lambda: not ours.problem)
