"""The promises of a server that a release can be rolled out through: ``read_traffic``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from interlock_hookspecs import Deployment, Target, Traffic
from interlock_hookspecs.conformance.endpoints import Served, deployment_of, status_of
from interlock_hookspecs.conformance.released import BROKEN, FAILS, rows_of, target_of
from interlock_hookspecs.conformance.serving import ServingPromises
from interlock_hookspecs.conformance.suite import another, ask, needs

_KEYS = 24
_TINY = 1e-9


class SplittingPromises(ServingPromises):
    """A server of ours that counts what each release is asked, and splits by a client's key."""

    def test_what_each_release_was_asked_is_counted(self, plugin: Any, tmp_path: Path) -> None:
        """Answers, refusals and failures are counted for the release that they are of."""
        needs(plugin, "serve_endpoint")
        needs(plugin, "read_traffic")
        targets = (target_of(1), target_of(2, weight=0.0))
        with self.serving(plugin, tmp_path, *targets) as served:
            deployment = deployment_of(served, *targets)
            first, second = _traffic(another(plugin), deployment, "release-1", "release-2")
            assert (first.requests, second.requests) == (0, 0), "what nobody asked is counted"
            for _ in range(5):
                self.infer(served.address, rows_of([1.0]))
            self.infer(served.address, rows_of([FAILS]))
            self.infer(served.address, rows_of([1.0]).drop_columns(["x"]))
            first, second = _settled(served, plugin, deployment, 7)
            assert first.answered == 5, f"of 5 answers {first.answered} are counted"
            assert first.failed == 1, f"a model that failed once is counted {first.failed} times"
            assert first.refused == 1, f"of 1 bad request {first.refused} are counted"
            assert second.requests == 0, "a release is counted what another was asked"
            weights = (first.weight, second.weight)
            assert weights == (1.0, 0.0), f"weights of 1 and 0 are told as {weights}"

    def test_what_a_mirror_was_asked_is_counted_apart(self, plugin: Any, tmp_path: Path) -> None:
        """A mirror that fails is counted as failing, and the release that answers is not."""
        needs(plugin, "serve_endpoint")
        needs(plugin, "read_traffic")
        targets = (target_of(1), target_of(BROKEN, mirror=True))
        with self.serving(plugin, tmp_path, *targets) as served:
            deployment = deployment_of(served, *targets)
            for _ in range(3):
                self.infer(served.address, rows_of([1.0]))
            served.until(
                lambda: sum(one.requests for one in _all(plugin, deployment)) >= 6,
                "of 3 requests and their copies not all are counted",
            )
            answering, mirror = _traffic(plugin, deployment, "release-1", f"release-{BROKEN}")
        assert mirror.mirror, "the count of a mirror does not say that it is one"
        assert mirror.failed == 3, f"a mirror that failed 3 times is counted {mirror.failed} times"
        assert (answering.answered, answering.failed) == (3, 0), "a mirror's count is another's"

    def test_counting_goes_on_while_weights_change(self, plugin: Any, tmp_path: Path) -> None:
        """A change of weights begins no new count; a release that comes back has a new one."""
        needs(plugin, "serve_endpoint")
        needs(plugin, "read_traffic")
        with self.serving(plugin, tmp_path, target_of(1), target_of(2, weight=0.0)) as served:
            deployment = deployment_of(served)
            for _ in range(4):
                self.infer(served.address, rows_of([1.0]))
            before, _ = _settled(served, plugin, deployment, 4)
            served.change(target_of(1, weight=0.5), target_of(2, weight=0.5))
            served.until(
                lambda: [round(one.weight, 6) for one in _all(plugin, deployment)] == [0.5, 0.5],
                "new weights are never told",
            )
            after, _ = _traffic(plugin, deployment, "release-1", "release-2")
            assert after.since == before.since, "a change of weights begins another count"
            assert after.requests >= before.requests, "a change of weights loses counts"

    def test_a_sticky_key_keeps_its_release(self, plugin: Any, tmp_path: Path) -> None:
        """Requests of one key go to one release, and a growing share moves keys one way only."""
        needs(plugin, "serve_endpoint")
        needs(plugin, "read_traffic")
        keys = [f"person-{number}" for number in range(_KEYS)]
        with self.serving(plugin, tmp_path, *_split(0.5)) as served:
            went = {key: {self._asked(served, key) for _ in range(3)} for key in keys}
            for releases in went.values():
                assert len(releases) == 1, f"requests of one key went to {len(releases)} releases"
            challenged = {key for key, releases in went.items() if releases == {2}}
            assert challenged, "every key goes to the first release"
            assert len(challenged) < _KEYS, "every key goes to the second release"
            deployment = deployment_of(served)
            served.change(*_split(0.8))
            served.until(
                lambda: abs(_all(plugin, deployment)[-1].weight - 0.8) < _TINY,
                "new weights are never told",
            )
            assert all(self._asked(served, key) == 2 for key in challenged), (
                "a key of the second release goes back to the first as the second's share grows"
            )

    def _asked(self, served: Served, key: str) -> int:
        answer = self.infer(served.address, rows_of([0.0]), sticky_key=key)
        assert answer.status == 200, f"a request with a sticky key is answered {answer.status}"
        return round(10 * float(answer.outputs["score"][0]))


def _split(share: float) -> tuple[Target, Target]:
    return target_of(1, weight=1.0 - share), target_of(2, weight=share)


def _all(plugin: Any, deployment: Deployment) -> list[Traffic]:
    assert status_of(plugin, deployment).live, "an endpoint that is asked for its counts is dead"
    return list(ask(plugin, "read_traffic", deployment=deployment))


def _traffic(plugin: Any, deployment: Deployment, *releases: str) -> list[Traffic]:
    found = _all(plugin, deployment)
    named = [one.release for one in found]
    assert named == list(releases), f"counts of {', '.join(named)}, not of {', '.join(releases)}"
    return found


def _settled(served: Served, plugin: Any, deployment: Deployment, requests: int) -> list[Traffic]:
    """The counts once there are so many; an answer may be counted after it was sent."""
    served.until(
        lambda: sum(one.requests for one in _all(plugin, deployment)) >= requests,
        f"of {requests} requests not all are counted",
    )
    return _all(plugin, deployment)
