"""What a rollout relies on: clients that stay with their version, and counts of each release."""

import pytest
from asking import ENDPOINT, INFER, ROW

from interlock_hookspecs import Deployment, Unavailable
from interlock_serving import ServerSettings, read_traffic

pytestmark = pytest.mark.real_backend


def test_a_header_keeps_a_client_on_its_version(serving, target, tensors):
    """The header x-sticky-key does what the body's parameter does; the parameter goes before it."""
    with (
        serving(target(1, weight=0.5), target(2, weight=0.5)) as client,
        client.connect() as connection,
    ):

        def went(key, **body):
            body = {"inputs": tensors(ROW), **body}
            _, _, value = client.call("POST", INFER, body, connection, x_sticky_key=key)
            return value["model_version"]

        for key in map(str, range(20)):
            by_parameter = client.infer(ROW, connection=connection, parameters={"sticky_key": key})[
                1
            ]["model_version"]
            assert went(key) == by_parameter
            assert went("another", parameters={"sticky_key": key}) == by_parameter


def test_each_release_is_counted_for_itself(serving, target, wider):
    """Answers with their times, refusals and failures, of the release and of its mirror."""
    mirror = target(2, wider, mirror=True)
    with serving(target(1), mirror) as client:
        statuses = [
            client.infer({"age": age, "income": None, "city": None})[0] for age in (10, 20, 1600)
        ]
        assert statuses == [200, 200, 500]
        assert client.infer({"age": "old"})[0] == 400
        deployment = Deployment(id="deployment-1", endpoint=ENDPOINT, address=client.feed.told)
        first, second = read_traffic(ServerSettings(), deployment)
        assert (first.release, first.mirror, first.weight) == ("release-1", False, 1.0)
        assert (first.requests, first.answered, first.failed, first.refused) == (4, 2, 1, 1)
        assert first.latency(0.99) is not None
        assert (second.release, second.mirror, second.weight) == ("release-2", True, 0.0)
        assert (second.requests, second.refused) == (2, 2)
    with pytest.raises(Unavailable, match="does not answer"):
        read_traffic(ServerSettings(), deployment)
