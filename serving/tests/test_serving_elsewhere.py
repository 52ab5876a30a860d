"""Models that are scored elsewhere: what is away for a while is no failure of the model's."""

import threading

import pytest
from asking import INFER, ROW, wait_until

from interlock_hookspecs import Unavailable

pytestmark = pytest.mark.real_backend


@pytest.fixture
def elsewhere(logistic):
    """A model elsewhere, which may be away, and which knows who needs it."""

    class Elsewhere(logistic):
        def __init__(self):
            super().__init__()
            self.away = False
            self.asked = 0
            self.users = 0
            self.free = threading.Event()

        def enter(self):
            self.users += 1

        def leave(self):
            self.users -= 1
            self.free.set()

        def predict(self, rows):
            self.asked += 1
            self.may_answer.wait()
            if self.away:
                raise Unavailable("the model's server is away")
            return super().predict(rows)

    return Elsewhere()


def test_who_asks_a_model_that_is_away_is_told_to_come_again(serving, target, tensors, elsewhere):
    """503 with Retry-After, counted as failed, and no second try; when it is back it answers."""
    with serving(target(1, elsewhere)) as client:
        assert client.infer(ROW)[0] == 200
        elsewhere.away = True
        asked = elsewhere.asked
        status, headers, value = client.call("POST", INFER, {"inputs": tensors(ROW)})
        assert (status, value) == (503, {"error": "the model's server is away"})
        assert headers["retry-after"] == "1"
        assert elsewhere.asked == asked + 1
        elsewhere.away = False
        assert client.infer(ROW)[0] == 200
        (counts,) = client.get("/v2/health/ready")[1]["traffic"]
        assert (counts["requests"], counts["failed"], counts["refused"]) == (3, 1, 0)


def test_requests_that_wait_together_are_told_together(serving, target, elsewhere):
    """A batch of several is asked for once, not once more for each request of it."""
    with serving(target(1, elsewhere)) as client:
        elsewhere.away = True
        elsewhere.may_answer.clear()
        statuses = []
        threads = [
            threading.Thread(target=lambda: statuses.append(client.infer(ROW)[0])) for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        wait_until(lambda: client.here() == 8)
        elsewhere.may_answer.set()
        for thread in threads:
            thread.join(60)
        assert statuses == [503] * 8
        assert elsewhere.asked <= 2


def test_a_model_is_told_when_nobody_asks_it_any_more(serving, target, elsewhere):
    """Its last answer given, whoever keeps it elsewhere may let it go."""
    with serving(target(1, elsewhere)) as client:
        assert client.infer(ROW)[0] == 200
        assert elsewhere.users == 1
        client.feed.change(target(2))
        assert elsewhere.free.wait(60)
        assert elsewhere.users == 0
        assert client.infer(ROW)[0] == 200
