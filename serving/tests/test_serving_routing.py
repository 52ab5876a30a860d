"""Queues, batches, several versions, mirrors and swaps: which model answers, and when."""

import asyncio
import concurrent.futures
import random
import threading

import pytest
from asking import INFER, ROW, held, model_threads, outputs, wait_until

from interlock_serving.models.routing import Draws, Router

pytestmark = pytest.mark.real_backend


def test_each_request_of_a_batch_is_captured_for_itself(serving, target, logistic):
    """Rows scored together are captured apart, each with its own request."""
    model = logistic(1.0)
    model.may_answer.clear()
    with serving(target(1, model)) as client, concurrent.futures.ThreadPoolExecutor(8) as pool:
        calls = [pool.submit(client.infer, {**ROW, "age": age}) for age in range(8)]
        wait_until(lambda: client.here() == 8)
        model.may_answer.set()
        ids = {age: call.result()[1]["id"] for age, call in enumerate(calls)}
    assert sum(model.batches) == 8
    assert len(model.batches) < 8
    captured = {capture.request_id: capture for capture in client.captures.all}
    assert {age: captured[ids[age]].rows["age"].to_pylist() for age in range(8)} == {
        age: [age] for age in range(8)
    }


def test_requests_with_and_without_an_id_column_wait_together(serving, target, logistic):
    """Requests that differ in their extra columns are all answered and captured as sent."""
    model = logistic(1.0)
    model.may_answer.clear()
    with serving(target(1, model)) as client, concurrent.futures.ThreadPoolExecutor(6) as pool:
        rows = [{**ROW, "person": 7} if number % 2 else ROW for number in range(6)]
        calls = [pool.submit(client.infer, row) for row in rows]
        wait_until(lambda: client.here() == 6)
        model.may_answer.set()
        assert {call.result()[0] for call in calls} == {200}
    names = sorted(capture.rows.num_columns for capture in client.captures.all)
    assert names == [3, 3, 3, 4, 4, 4]


def test_weights_split_the_requests(serving, target):
    """Of two versions each answers about its share, and a weight of 0 answers nothing."""
    with (
        serving(target(1, weight=0.75), target(2, weight=0.25), target(3, weight=0.0)) as client,
        client.connect() as connection,
    ):
        versions = [
            client.infer(ROW, connection=connection)[1]["model_version"] for _ in range(400)
        ]
    shares = {version: versions.count(version) / 400 for version in set(versions)}
    assert shares.keys() == {"release-1", "release-2"}
    assert 0.6 < shares["release-1"] < 0.9  # 0.75 give or take 7 standard deviations


def test_requests_that_come_together_go_together():
    """Up to sixteen, so that few batches are divided; over many ticks each has its share."""
    draws, chosen = Draws(), []
    router = Router(models=("rare", "usual"), bounds=(0.25, 1.0))
    random.seed(0)

    async def ask():
        for come in (1, 16, 40) * 800:
            chosen.append([draws.next(router) for _ in range(come)])
            await asyncio.sleep(0)

    asyncio.run(ask())
    drawn = [models[at : at + 16] for models in chosen for at in range(0, len(models), 16)]
    assert {len(set(models)) for models in drawn} == {1}
    firsts = [models[0] for models in drawn]
    assert len(firsts) == 5 * 800
    assert 0.22 < firsts.count("rare") / len(firsts) < 0.28  # 4 standard deviations
    both = [models for models in chosen if len(models) == 40 and len(set(models)) == 2]
    assert 0.5 < len(both) / 800 < 0.65  # of three draws not all are the same: 0.56


def test_a_draw_ends_with_the_targets_that_it_was_for():
    """Who comes after a swap in the same tick is not sent to what is served no longer."""
    draws = Draws()

    async def ask():
        before = draws.next(Router(models=("old", "older"), bounds=(1.0, 1.0)))
        return before, draws.next(Router(models=("new", "newer"), bounds=(1.0, 1.0)))

    assert asyncio.run(ask()) == ("old", "new")


def test_a_sticky_key_keeps_its_version(serving, target):
    """Requests of one key go to one version; keys are split by weight."""
    with (
        serving(target(1, weight=0.5), target(2, weight=0.5)) as client,
        client.connect() as connection,
    ):
        went = {
            key: {
                client.infer(ROW, connection=connection, parameters={"sticky_key": key})[1][
                    "model_version"
                ]
                for _ in range(3)
            }
            for key in range(40)
        }
    assert all(len(versions) == 1 for versions in went.values())
    assert {next(iter(versions)) for versions in went.values()} == {"release-1", "release-2"}


def test_a_version_can_be_addressed(serving, target):
    """A request to a version goes there, whatever its weight, by release id or number."""
    with serving(target(1), target(2, weight=0.0)) as client:
        for version in ("release-2", "2"):
            assert client.infer(ROW, version=version)[1]["model_version"] == "release-2"
        status, value = client.infer(ROW, version="9")
        assert (status, value["error"]) == (
            404,
            "version '9' is not served; these are: release-1, release-2",
        )


def test_mirrors_are_captured_and_never_answer(serving, target):
    """A mirror gets a copy of each request; its answer is only in the captures."""
    with serving(target(1), target(2, mirror=True)) as client:
        answers = {client.infer(ROW, id=f"call-{i}")[1]["model_version"] for i in range(5)}
        wait_until(lambda: len(client.captures.all) == 10)
        assert client.infer(ROW, version="2")[0] == 404
        assert client.get("/v2/health/ready")[1]["mirrors"] == ["release-2"]
    assert answers == {"release-1"}
    mirrored = [capture for capture in client.captures.all if capture.mirror]
    assert {capture.release for capture in mirrored} == {"release-2"}
    assert {capture.request_id for capture in mirrored} == {f"call-{i}" for i in range(5)}


def test_a_mirror_with_other_features_reads_the_request_for_itself(serving, target, wider):
    """A mirror that misses a feature is skipped and counted; the answer does not suffer."""
    mirror = target(2, wider, mirror=True)
    with serving(target(1), mirror) as client:
        assert client.infer(ROW)[0] == 200
        assert client.get("/v2/health/ready")[1]["mirrors_skipped"] == 1


def test_a_slow_mirror_delays_nobody(serving, target, logistic):
    """Answers come while a mirror hangs, and the server still stops in time."""
    hanging = logistic(2.0)
    hanging.may_answer.clear()
    with serving(target(1), target(2, hanging, mirror=True), drain_seconds=1) as client:
        assert [client.infer(ROW)[0] for _ in range(5)] == [200] * 5
    hanging.may_answer.set()


def test_swapping_under_load_fails_no_request(serving, target, logistic):
    """20 swaps while 8 clients ask: each request is answered, by the release that it names."""
    models = {f"release-{number}": logistic(float(number)) for number in range(1, 22)}
    swapped = threading.Event()
    wrong = []
    answered = []

    def ask(client):
        with client.connect() as connection:
            while not swapped.is_set():
                status, value = client.infer(ROW, connection=connection)
                answered.append(value.get("model_version"))
                if status != 200:
                    wrong.append(value)
                    continue
                score = models[value["model_version"]].score(**ROW)
                if outputs(value)["score"] != [pytest.approx(score, abs=1e-12)]:
                    wrong.append(value)

    with serving(target(1, models["release-1"])) as client:
        threads = [threading.Thread(target=ask, args=(client,)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for number in range(2, 22):
            client.feed.change(target(number, models[f"release-{number}"]))
            if number % 3:  # the others may be replaced before anybody was answered by them
                wait_until(lambda wanted=f"release-{number}": answered.count(wanted) > 8)
        swapped.set()
        for thread in threads:
            thread.join()
        assert client.infer(ROW)[1]["model_version"] == "release-21"
        wait_until(lambda: len(model_threads()) == 1)
    assert wrong == []
    served = [capture.release for capture in client.captures.all]
    assert {f"release-{number}" for number in range(2, 22) if number % 3} <= {*served}
    assert sorted(served) == sorted([*answered, "release-21"])


def test_only_weights_changing_keeps_the_queue(serving, target, logistic):
    """A change of weights keeps each model's queue and what waits in it."""
    model = logistic(1.0)
    with serving(target(1, model)) as client, held(client, model):
        client.feed.change(target(1, model, weight=0.5), target(2, weight=0.5))


def test_taking_everything_away_answers_what_waits(serving, target, logistic):
    """A release that is revoked answers the request in flight, and no other."""
    model = logistic(1.0)
    with serving(target(1, model)) as client, held(client, model):
        client.feed.change()
        wait_until(lambda: client.get("/v2/health/ready")[0] == 503)
        assert client.infer(ROW)[0] == 503


def test_a_row_that_the_model_refuses_spoils_no_other(serving, target, logistic):
    """Of requests scored together only the one that the model refuses is refused."""
    model = logistic(0.0)
    model.may_answer.clear()
    with serving(target(1, model)) as client, concurrent.futures.ThreadPoolExecutor(5) as pool:
        ages = [10, 1300, 1700, 1900, 20]
        calls = [
            pool.submit(client.infer, {"age": age, "income": None, "city": None}) for age in ages
        ]
        wait_until(lambda: client.here() == 5)
        model.may_answer.set()
        answers = dict(zip(ages, (call.result() for call in calls), strict=True))
    assert {age: status for age, (status, _) in answers.items()} == {
        10: 200,
        1300: 400,
        1700: 500,
        1900: 500,
        20: 200,
    }
    assert "sums up to 13" in answers[1300][1]["error"]
    assert "ZeroDivisionError" in answers[1700][1]["error"]
    assert "no finite number" in answers[1900][1]["error"]
    assert len(client.captures.all) == 2


def test_a_full_queue_says_try_again(serving, target, logistic, tensors):
    """Where too many rows wait a request is answered 429 with Retry-After, the rest as usual."""
    model = logistic(1.0)
    model.may_answer.clear()
    with (
        serving(target(1, model), queue_rows=4) as client,
        concurrent.futures.ThreadPoolExecutor(8) as pool,
    ):
        calls = [pool.submit(client.infer, ROW)]
        wait_until(lambda: model.batches)
        # The model has the first one: these wait.
        calls += [pool.submit(client.infer, ROW) for _ in range(4)]
        wait_until(lambda: client.running._app.router.models[0]._queue.rows == 4)
        status, headers, _ = client.call("POST", INFER, {"inputs": tensors(*[ROW] * 4)})
        assert (status, headers["retry-after"]) == (429, "1")
        model.may_answer.set()
        assert [call.result()[0] for call in calls] == [200] * 5


def test_a_model_that_hangs_is_given_up(serving, target, logistic):
    """A request that the model does not answer in time gets 503; readiness says which model."""
    model = logistic(1.0)
    model.may_answer.clear()
    with serving(target(1, model), answer_seconds=0.2) as client:
        assert client.infer(ROW)[0] == 503
        status, ready = client.get("/v2/health/ready")
        assert (status, ready["problem"]) == (503, "the model of release-1 is late")
        model.may_answer.set()
        wait_until(lambda: client.get("/v2/health/ready")[0] == 200)
        # On a busy machine it may be late again.
        wait_until(lambda: client.infer(ROW)[0] == 200)
    assert len(client.captures.all) == 1


def test_health_is_answered_while_the_model_works(serving, target, logistic):
    """The loop goes on answering while a batch is scored."""
    model = logistic(1.0)
    model.may_answer.clear()
    with serving(target(1, model)) as client, concurrent.futures.ThreadPoolExecutor(1) as pool:
        call = pool.submit(client.infer, ROW)
        wait_until(lambda: model.batches)
        assert client.get("/v2/health/live")[0] == 200
        assert not call.done()
        model.may_answer.set()


def test_a_new_release_of_the_same_model_counts(serving, target, logistic):
    """A release that differs in its threshold alone is another release, and decides otherwise."""
    model = logistic(0.0)
    with serving(target(1, model)) as client:
        assert outputs(client.infer(ROW)[1])["prediction"] == ["in work"]
        client.feed.change(target(2, model, threshold=0.99))
        wait_until(lambda: client.infer(ROW)[1]["model_version"] == "release-2")
        assert outputs(client.infer(ROW)[1])["prediction"] == ["out of work"]
