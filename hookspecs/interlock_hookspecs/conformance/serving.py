"""The promises of a server of our own: ``serve_endpoint``, and how the endpoint says it is."""

from __future__ import annotations

import contextlib
import functools
import signal
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from interlock_hookspecs import Predictor, Target
from interlock_hookspecs.conformance.endpoints import Served, deployment_of, serving, status_of
from interlock_hookspecs.conformance.inference import Answer, call, infer
from interlock_hookspecs.conformance.released import (
    BROKEN,
    ENDPOINT,
    FAILS,
    Share,
    rows_of,
    scores_of,
    target_of,
)
from interlock_hookspecs.conformance.suite import Suite, another, needs

if TYPE_CHECKING:
    import pyarrow as pa

CALLERS = 8
_SWAPS = 6
_ASKED = 120
_HUGE = 64 * 1024 * 1024


class ServingPromises(Suite):
    """A server of our own, over the Open Inference Protocol; for another one there is `infer`.

    A subclass whose server serves certain models only has `predictor`.
    """

    def predictor(self, number: int, seconds: float) -> Predictor:
        """The opened model of a release, which takes so long to answer; made where it serves.

        Another one has the signature of `Share`, scores as `scores_of` says, and fails where it
        does.
        """
        return Share(number, seconds)

    def serving(
        self,
        plugin: Any,
        folder: Path,
        *targets: Target,
        seconds: float = 0.0,
        full: bool = False,
    ) -> AbstractContextManager[Served]:
        """An endpoint that listens, ended when the block is left."""
        opener = self.predictor
        return serving(plugin, folder, *targets, opener=opener, seconds=seconds, full=full)

    def infer(
        self, address: str, rows: pa.Table, request_id: str = "", sticky_key: str = ""
    ) -> Answer:
        """Ask the endpoint for predictions, as its clients do."""
        return infer(address, rows, request_id=request_id, sticky_key=sticky_key)

    def test_a_row_is_scored_and_decided(self, plugin: Any, tmp_path: Path) -> None:
        """An answer has the model's scores, and the prediction by the release's threshold."""
        needs(plugin, "serve_endpoint")
        rows = rows_of([0.0, 450.0, None])
        for number, decided in ((1, ["no", "yes", "no"]), (2, ["yes", "yes", "yes"])):
            with self.serving(plugin, tmp_path, target_of(number)) as served:
                answer = self.infer(served.address, rows)
            assert answer.status == 200, f"a good request is answered with {answer.status}"
            assert answer.outputs.get("score") == scores_of(number, [0.0, 450.0, None]), (
                "an answer has other scores than the model gives"
            )
            assert answer.outputs.get("prediction") == decided, (
                "the prediction is not by the release's threshold"
            )

    def test_what_was_answered_is_captured(self, plugin: Any, tmp_path: Path) -> None:
        """A capture has the request's id, the time, the release, the rows and the predictions."""
        needs(plugin, "serve_endpoint")
        rows = rows_of([1.0, None], person=[7, 8], year=[2017, 2018])
        before = datetime.now(UTC) - timedelta(seconds=1)
        with self.serving(plugin, tmp_path, target_of(1)) as served:
            answer = self.infer(served.address, rows, request_id="request-1")
            assert answer.status == 200, "the id and time columns beside the features are refused"
            (capture,) = served.captures(1)
        assert capture["request_id"] == "request-1", "a capture loses the client's request id"
        assert capture["release"] == "release-1", "a capture names another release"
        assert capture["mirror"] is False, "an answer that a client got is called a mirror's"
        assert before < capture["at"] < datetime.now(UTC), "a capture has another time"
        for name, values in rows.to_pydict().items():
            assert capture["rows"].get(name) == values, f"a capture has other values of {name}"
        assert capture["predictions"] == {
            "score": answer.outputs["score"],
            "prediction": answer.outputs["prediction"],
        }, "a capture has other predictions than the client got"

    def test_a_sink_that_is_full_fails_nobody(self, plugin: Any, tmp_path: Path) -> None:
        """Where captures are lost, clients are answered all the same."""
        needs(plugin, "serve_endpoint")
        with self.serving(plugin, tmp_path, target_of(1), full=True) as served:
            for _ in range(3):
                status = self.infer(served.address, rows_of([1.0])).status
                assert status == 200, f"a full capture sink makes an answer {status}"

    def test_weights_split_the_requests(self, plugin: Any, tmp_path: Path) -> None:
        """Each release answers about its share, and one of weight 0 none."""
        needs(plugin, "serve_endpoint")
        targets = [target_of(1, weight=0.75), target_of(2, weight=0.25), target_of(3, weight=0.0)]
        with self.serving(plugin, tmp_path, *targets) as served:
            for _ in range(_ASKED):
                self.infer(served.address, rows_of([1.0]))
            released = [capture["release"] for capture in served.captures(_ASKED)]
        assert "release-3" not in released, "a release of weight 0 answers"
        share = released.count("release-1") / _ASKED
        # 0.75, give or take five standard deviations.
        assert 0.55 < share < 0.95, f"a release of weight 0.75 answers {share:.0%} of the requests"

    def test_a_mirror_answers_nobody(self, plugin: Any, tmp_path: Path) -> None:
        """A mirror gets a copy of each request, and what it says is captured and not returned."""
        needs(plugin, "serve_endpoint")
        with self.serving(plugin, tmp_path, target_of(1), target_of(2, mirror=True)) as served:
            for place in range(5):
                answer = self.infer(served.address, rows_of([1.0]), request_id=f"request-{place}")
                assert answer.outputs["score"] == scores_of(1, [1.0]), (
                    "a mirror's answer is returned"
                )
            found = served.captures(10)
        for release, mirror in (("release-1", False), ("release-2", True)):
            seen = {one["request_id"] for one in found if one["release"] == release}
            assert len(seen) == 5, f"of 5 requests {release} has captured {len(seen)}"
            kinds = {one["mirror"] for one in found if one["release"] == release}
            assert kinds == {mirror}, f"captures of {release} are wrong about being a mirror's"

    def test_a_mirror_that_fails_harms_nobody(self, plugin: Any, tmp_path: Path) -> None:
        """An endpoint answers whatever its mirrors do; only mirrors is nothing to answer with."""
        needs(plugin, "serve_endpoint")
        mirror = target_of(BROKEN, mirror=True)
        with self.serving(plugin, tmp_path, target_of(1), mirror) as served:
            for _ in range(3):
                status = self.infer(served.address, rows_of([1.0])).status
                assert status == 200, f"a mirror that fails makes an answer {status}"
            assert not any(one["mirror"] for one in served.captures(3)), (
                "a mirror that failed has a capture"
            )
            served.change(target_of(2, mirror=True))
            served.until(
                lambda: self.infer(served.address, rows_of([1.0])).status >= 400,
                "an endpoint with nothing but a mirror answers",
            )

    def test_targets_change_without_a_failed_request(self, plugin: Any, tmp_path: Path) -> None:
        """While targets change, every request is answered by one release, whole."""
        needs(plugin, "serve_endpoint")
        targets, over = [target_of(1), target_of(2)], threading.Event()

        def ask_on(address: str) -> list[Answer]:
            answers = []
            while not over.is_set():
                answers.append(self.infer(address, rows_of([1.0, 2.0])))
            return answers

        with self.serving(plugin, tmp_path, targets[0]) as served, ThreadPoolExecutor(4) as pool:
            status = self.infer(served.address, rows_of([1.0, 2.0])).status
            assert status == 200, f"a good request is answered with {status}"
            asking = [pool.submit(ask_on, served.address) for _ in range(4)]
            try:
                for place in range(_SWAPS):
                    served.change(targets[(place + 1) % 2])
                    time.sleep(0.05)
                served.change(targets[1])
                _comes_to(plugin, served, "release-2")
            finally:
                over.set()
            answers = [answer for done in asking for answer in done.result()]
        failed = [answer.status for answer in answers if answer.status != 200]
        assert not failed, f"of {len(answers)} requests during changes {len(failed)} failed"
        whole = [scores_of(number, [1.0, 2.0]) for number in (1, 2)]
        assert all(answer.outputs["score"] in whole for answer in answers), (
            "an answer mixes two releases"
        )

    def test_nothing_is_served_once_all_is_withdrawn(self, plugin: Any, tmp_path: Path) -> None:
        """Without targets it lives and answers no request; with one again it does."""
        needs(plugin, "serve_endpoint")
        with self.serving(plugin, tmp_path, target_of(1)) as served:
            status = self.infer(served.address, rows_of([1.0])).status
            assert status == 200, f"a good request is answered with {status}"
            served.change()
            served.until(
                lambda: self.infer(served.address, rows_of([1.0])).status >= 400,
                "a release that was withdrawn still answers",
            )
            said = status_of(plugin, deployment_of(served))
            assert said.live, "an endpoint without targets is called dead"
            assert not said.ready, "an endpoint that answers nothing is called ready"
            assert said.serving == (), "an endpoint names a release that was withdrawn"
            served.change(target_of(2))
            _comes_to(plugin, served, "release-2")

    def test_each_of_many_gets_its_own_answer(self, plugin: Any, tmp_path: Path) -> None:
        """Of requests at once, each has the scores of its own rows."""
        needs(plugin, "serve_endpoint")
        with self.serving(plugin, tmp_path, target_of(1), seconds=0.01) as served:
            sent = [[float(place), float(place + 500)] for place in range(CALLERS * 4)]
            with ThreadPoolExecutor(CALLERS) as pool:
                answers = list(
                    pool.map(lambda values: self.infer(served.address, rows_of(values)), sent)
                )
        for values, answer in zip(sent, answers, strict=True):
            assert answer.status == 200, f"one of several requests at once gets {answer.status}"
            assert answer.outputs["score"] == scores_of(1, values), (
                "a request at once gets another's answer"
            )

    def test_a_bad_request_is_the_clients_error(self, plugin: Any, tmp_path: Path) -> None:
        """What cannot be scored is refused as 4xx, captured nowhere, and the server goes on."""
        needs(plugin, "serve_endpoint")
        good = rows_of([1.0])
        text = good.set_column(0, "x", [["hunter2"]])
        with self.serving(plugin, tmp_path, target_of(1)) as served:
            for what, rows in {
                "a missing feature": good.drop_columns(["x"]),
                "a text for a number": text,
            }.items():
                answer = self.infer(served.address, rows)
                assert 400 <= answer.status < 500, f"{what} is answered with {answer.status}"
                said = str(dict(answer.body))
                assert "Traceback" not in said, f"{what} is answered with a traceback"
                assert "hunter2" not in said, f"{what} is answered with the value"
            path = f"/v2/models/{ENDPOINT.name}/infer"
            for what, body in {
                "no JSON": b"\xff{",
                "another JSON": b"[1, 2]",
                "no inputs": b"{}",
                "inputs of another shape": b'{"inputs": [{"name": "x", "shape": [2]}]}',
                "rows of two lengths": b'{"inputs": [{"name": "x", "shape": [3], "datatype":'
                b' "FP64", "data": [1]}]}',
            }.items():
                status, _ = call(served.address, "POST", path, body)
                assert 400 <= status < 500, f"{what} is answered with {status}"
            answer = self.infer(served.address, good, request_id="good")
            assert answer.status == 200, "after bad requests a good one fails"
            (capture,) = served.captures(1)
            assert capture["request_id"] == "good", "a request that was refused is captured"

    def test_a_huge_request_is_refused(self, plugin: Any, tmp_path: Path) -> None:
        """A request of any length is refused or answered, and the server goes on."""
        needs(plugin, "serve_endpoint")
        path = f"/v2/models/{ENDPOINT.name}/infer"
        with self.serving(plugin, tmp_path, target_of(1)) as served:
            # A server may close the connection on what it will not read.
            with contextlib.suppress(OSError):
                status, _ = call(served.address, "POST", path, b"[" * _HUGE)
                assert 400 <= status < 500, f"a huge request is answered with {status}"
            answer = self.infer(served.address, rows_of([1.0]))
            assert answer.status == 200, "after a huge request a good one fails"

    def test_a_model_that_fails_is_the_servers_error(self, plugin: Any, tmp_path: Path) -> None:
        """A model that raises gives a 5xx without its traceback, and the server goes on."""
        needs(plugin, "serve_endpoint")
        with self.serving(plugin, tmp_path, target_of(1)) as served:
            answer = self.infer(served.address, rows_of([FAILS]))
            assert answer.status >= 500, f"a model that fails is answered with {answer.status}"
            assert "Traceback" not in str(dict(answer.body)), "an answer shows a traceback"
            answer = self.infer(served.address, rows_of([1.0]))
            assert answer.status == 200, "after a model failed a good request fails"

    def test_it_ends_after_what_is_in_flight(self, plugin: Any, tmp_path: Path) -> None:
        """After SIGTERM or SIGINT it answers what it has begun, captures it, and returns."""
        needs(plugin, "serve_endpoint")
        # Another model, which is elsewhere perhaps, does not say that it is asked.
        says = isinstance(self.predictor(1, 0.0), Share)
        seconds = 0.5 if says else 3.0
        for number in (signal.SIGTERM, signal.SIGINT):
            with (
                self.serving(plugin, tmp_path, target_of(1), seconds=seconds) as served,
                ThreadPoolExecutor(1) as pool,
            ):
                asked = pool.submit(self.infer, served.address, rows_of([1.0]))
                if says:
                    begun = functools.partial(_is_asked, served, asked)
                    served.until(begun, "a model is never asked")
                else:
                    time.sleep(seconds / 2)
                served.stop(number)
                status = asked.result().status
                assert status == 200, f"a request in flight at {number.name} gets {status}"
                served.captures(1)

    def test_a_taken_address_is_unavailable(self, plugin: Any, tmp_path: Path) -> None:
        """A port that another server has is Unavailable, and that server goes on."""
        needs(plugin, "serve_endpoint")
        if "port" not in {field.name for field in attrs.fields(type(plugin))}:
            pytest.skip("optional: no setting `port` says where it listens")
        with self.serving(plugin, tmp_path, target_of(1)) as served:
            port = int(served.address.rpartition(":")[2])
            again = Served(
                attrs.evolve(plugin, port=port), tmp_path, [target_of(2)], self.predictor
            )
            with again:
                assert again.ended.startswith("Unavailable: "), (
                    f"an address that is taken: {again.ended or 'it listens there as well'}"
                )
            answer = self.infer(served.address, rows_of([1.0]))
            assert answer.outputs.get("score") == scores_of(1, [1.0]), (
                "a second server takes the requests of the first"
            )

    def test_the_status_is_the_endpoints_own(self, plugin: Any, tmp_path: Path) -> None:
        """Status names what is served, says what the feed's problem is, and knows another's."""
        needs(plugin, "serve_endpoint")
        targets = (target_of(1, weight=0.5), target_of(2, weight=0.5))
        with self.serving(plugin, tmp_path, *targets) as served:
            deployment = deployment_of(served, *targets)
            status = status_of(another(plugin), deployment)
            assert status.live, "an endpoint that answers is called dead"
            assert status.ready, f"an endpoint that answers is not ready: {status.detail}"
            assert set(status.serving) == {"release-1", "release-2"}, (
                f"an endpoint of two releases serves {', '.join(status.serving) or 'none'}"
            )
            served.say("the ledger cannot be read")
            served.until(
                lambda: "the ledger cannot be read" in status_of(plugin, deployment).detail,
                "a problem of the feed is not in the status",
            )
            other = status_of(plugin, deployment_of(served, *targets, name="another"))
            assert not other.ready, "the server of one endpoint is taken for another's"
            served.stop()
        gone = status_of(plugin, deployment)
        assert not gone.live, "an endpoint that has ended is called alive"
        assert not gone.ready, "an endpoint that has ended is called ready"


def _is_asked(served: Served, asked: Future[Answer]) -> bool:
    """Whether a model works on a request; or it has ended otherwise."""
    return served.begun or asked.done()


def _comes_to(plugin: Any, served: Served, release: str) -> None:
    deployment = deployment_of(served)
    served.until(
        lambda: status_of(plugin, deployment).serving == (release,),
        f"it never came to serve {release}",
    )
