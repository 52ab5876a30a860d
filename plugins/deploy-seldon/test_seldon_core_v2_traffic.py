"""What a release is asked in a cluster: the counts of Seldon's agents, read from Prometheus."""

import pytest

from interlock_deploy_seldon.core_v2.names import endpoint_name, model_name
from interlock_hookspecs import Unavailable
from interlock_hookspecs.conformance.released import ENDPOINT

pytestmark = pytest.mark.stand_in
EXPERIMENT = endpoint_name(ENDPOINT)


def test_what_is_counted_is_read_from_prometheus(
    seldon_cluster, prometheus, core_v2, apply, released
):
    """Answers, refusals and failures by their codes; a mirror apart; no latencies."""
    plugin = core_v2(prometheus=prometheus.url)
    targets = (released(1, 2 / 3), released(2, 1 / 3), released(3, 0.0, mirror=True))
    made = apply(*targets, plugin=plugin)
    one, two, three = (model_name(ENDPOINT, each) for each in targets)
    first, *_ = plugin.read_traffic(deployment=made)
    assert (first.requests, first.weight) == (0, 2 / 3)
    prometheus.counts |= {(one, "200"): 7, (one, "422"): 2, (one, "500"): 1, (one, "404"): 1}
    prometheus.counts |= {(two, "OK"): 3, (two, "InvalidArgument"): 1, (two, "Unavailable"): 2}
    prometheus.counts |= {(three, "500"): 5, ("another", "200"): 1000}
    first, second, mirror = plugin.read_traffic(deployment=made)
    assert (first.requests, first.answered, first.refused, first.failed) == (11, 7, 2, 2)
    assert (second.requests, second.answered, second.refused, second.failed) == (6, 3, 1, 2)
    assert (mirror.mirror, mirror.weight, mirror.failed) == (True, 0.0, 5)
    assert [each.release for each in (first, second, mirror)] == [
        each.release.id for each in targets
    ]
    assert first.latencies == ()
    assert first.latency(0.99) is None
    assert second.weight == pytest.approx(1 / 3)


def test_an_agent_that_was_started_again_begins_another_count(prometheus, core_v2, apply, released):
    """Since when it is counted is told: counts of before are not held against those of after."""
    plugin = core_v2(prometheus=prometheus.url)
    made = apply(released(1), plugin=plugin)
    name = model_name(ENDPOINT, released(1))
    prometheus.counts[name, "200"] = 9
    (before,) = plugin.read_traffic(deployment=made)
    prometheus.started[name] = before.since.timestamp() - 1000
    assert plugin.read_traffic(deployment=made)[0].since == before.since
    prometheus.started[name] = before.since.timestamp() + 100
    prometheus.counts[name, "200"] = 12
    (after,) = plugin.read_traffic(deployment=made)
    assert after.since > before.since
    assert after.minus(before).requests == 12


def test_a_split_that_somebody_else_changed_is_told_as_it_is(
    seldon_cluster, prometheus, core_v2, apply, released
):
    """Weights as asked where the cluster has them; its own where it has others."""
    plugin = core_v2(prometheus=prometheus.url)
    made = apply(released(1, 0.95), released(2, 0.05), plugin=plugin)
    assert [each.weight for each in plugin.read_traffic(deployment=made)] == [0.95, 0.05]
    candidates = seldon_cluster.objects["Experiment", EXPERIMENT]["spec"]["candidates"]
    candidates[0]["weight"], candidates[1]["weight"] = 60, 40
    assert [each.weight for each in plugin.read_traffic(deployment=made)] == [0.6, 0.4]


@pytest.mark.parametrize(
    "answer",
    [
        (503, b"{}"),
        (200, b"<html>"),
        (200, b'{"status": "error", "data": {"resultType": "vector", "result": []}}'),
        (200, b'{"status": "success", "data": {"resultType": "scalar", "result": [0, "1"]}}'),
        (200, b'{"status": "success", "data": {"resultType": "vector", "result": [{}]}}'),
        (200, b"[]"),
    ],
    ids=["503", "page", "error", "scalar", "half", "list"],
)
def test_a_prometheus_that_does_not_tell_is_unavailable(
    prometheus, core_v2, apply, released, answer
):
    """Whatever it answers instead of a vector; and where it is gone."""
    plugin = core_v2(prometheus=prometheus.url)
    made = apply(released(1), plugin=plugin)
    prometheus.broken = answer
    with pytest.raises(Unavailable, match="Prometheus"):
        plugin.read_traffic(deployment=made)
    prometheus.stop()
    with pytest.raises(Unavailable, match="Prometheus does not answer"):
        plugin.read_traffic(deployment=made)
