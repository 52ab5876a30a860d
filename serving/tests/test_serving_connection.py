"""What a connection does by itself: begin and end answers, hand over bodies, close when idle."""

import asyncio
from collections import deque
from types import SimpleNamespace

import pytest

from interlock_serving.wire.connection import Connection
from interlock_serving.wire.cycle import Cycle


class Clock:
    """A loop that a test turns."""

    def __init__(self):
        self.now = 0.0
        self.timers = []

    def time(self):
        return self.now

    def call_soon(self, callback):
        self.call_later(0.0, callback)

    def call_later(self, seconds, callback):
        self.timers.append((self.now + seconds, callback))
        return self.timers[-1]

    def turn_to(self, now):
        self.now = now
        due = [timer for timer in self.timers if timer[0] <= now]
        self.timers = [timer for timer in self.timers if timer[0] > now]
        for _, callback in due:
            callback()


class Transport:
    def __init__(self):
        self.written = b""
        self.closed = False

    def write(self, data):
        self.written += data

    def close(self):
        self.closed = True

    def is_closing(self):
        return self.closed


@pytest.fixture
def connection():
    """A connection on a clock; it is closed 5 seconds after its last answer."""
    made = Connection.__new__(Connection)
    made.loop = Clock()
    made.transport = Transport()
    made.flow = SimpleNamespace(write_paused=False, resume_reading=lambda: None)
    made.server_state = SimpleNamespace(total_requests=0)
    made.pipeline = deque()
    made.tasks = set()
    made.logger = SimpleNamespace(error=lambda *_, **__: None)
    made.expect_100_continue = False
    made.timeout_keep_alive = 5
    made.timeout_keep_alive_task = None
    made.begun = 0
    return made


def cycle_of(connection, method="POST"):
    return Cycle({"method": method}, connection, keep_alive=True)


def test_a_connection_is_closed_when_it_has_waited_since_its_last_answer(connection):
    """However many answers there were meanwhile, one timer is set at a time."""
    clock = connection.loop
    for now in (0.0, 1.0, 4.0):
        clock.now = now
        connection.on_message_begin()
        connection.on_response_complete()
        assert len(clock.timers) == 1
    clock.turn_to(5.0)
    assert not connection.transport.closed
    clock.turn_to(8.9)
    assert not connection.transport.closed
    clock.turn_to(9.0)
    assert connection.transport.closed
    assert clock.timers == []


def test_a_connection_with_a_request_in_progress_is_not_idle(connection):
    """It is looked at again after the answer."""
    clock = connection.loop
    connection.on_response_complete()
    connection.on_message_begin()
    clock.turn_to(60.0)
    assert not connection.transport.closed
    connection.on_response_complete()
    clock.turn_to(64.0)
    assert not connection.transport.closed
    clock.turn_to(65.0)
    assert connection.transport.closed


def test_an_answer_is_begun_on_the_spot_and_goes_on_when_what_it_awaits_is_there(connection):
    """There is no task; uvicorn finds what is in progress where its tasks would be."""

    async def answers():
        awaited = asyncio.get_running_loop().create_future()
        seen = []

        async def app(scope, receive, send):
            seen.append((await receive())["body"])
            await awaited
            await send(204, (), b"")

        cycle = cycle_of(connection)
        cycle.take(b"a")
        cycle.more_body = False
        cycle.start(app)
        assert seen == [b"a"]
        assert connection.tasks == {cycle}
        awaited.set_result(None)
        await asyncio.sleep(0)
        assert connection.tasks == set()
        return connection.transport.written

    assert asyncio.run(answers()) == b"HTTP/1.1 204 No Content\r\n\r\n"


async def _twice(scope, receive, send):
    await send(200, (), b"a")
    await send(200, (), b"b")


async def _two_lines(scope, receive, send):
    await send(200, [(b"x-a", b"1\r\nx-b: 2")], b"a")


async def _nothing(scope, receive, send):
    pass


@pytest.mark.parametrize(
    ("app", "status"), [(_twice, b"200"), (_two_lines, b"500"), (_nothing, b"500")]
)
def test_an_application_that_answers_wrongly_loses_its_connection(connection, app, status):
    """Twice, with a header of several lines, or not at all: the client is told what can be told."""

    async def answered():
        cycle_of(connection).start(app)
        return connection.transport

    transport = asyncio.run(answered())
    assert transport.written.startswith(b"HTTP/1.1 " + status)
    assert transport.written.count(b"HTTP/1.1") == 1
    assert b"x-b" not in transport.written
    assert transport.closed
    assert connection.tasks == set()


def test_an_answer_to_head_has_its_length_and_no_body(connection):
    """A header asks for what GET would say of the body."""

    async def app(scope, receive, send):
        await send(200, [(b"x-a", b"1")], b"abc")

    async def answered():
        cycle_of(connection, "HEAD").start(app)
        return connection.transport.written

    head = b"HTTP/1.1 200 OK\r\nx-a: 1\r\ncontent-length: 3\r\n\r\n"
    assert asyncio.run(answered()) == head


def test_an_answer_is_given_up_at_the_end(connection):
    """What it still waits for comes too late and does nothing."""

    async def answers():
        awaited = asyncio.get_running_loop().create_future()
        ends = []

        async def app(scope, receive, send):
            try:
                await awaited
            finally:
                ends.append("end")

        cycle = cycle_of(connection)
        cycle.start(app)
        for each in connection.tasks:
            each.cancel(msg="the server ends")  # which changes the set that is gone through later
        connection.loop.turn_to(0.0)
        assert ends == ["end"]
        assert connection.tasks == set()
        awaited.set_result(None)
        await asyncio.sleep(0)
        return connection.transport.written

    assert asyncio.run(answers()).startswith(b"HTTP/1.1 503 ")


@pytest.mark.parametrize("parts", [[b"abc"], [b"a", b"bc"], [b"a", b"b", b"", b"c"]])
def test_a_body_is_handed_over_whole(connection, parts):
    """In however many parts it came."""

    async def received():
        cycle = cycle_of(connection)
        for part in parts:
            cycle.take(part)
        cycle.more_body = False
        return await cycle.receive()

    message = asyncio.run(received())
    assert message == {"type": "http.request", "body": b"abc", "more_body": False}
    assert type(message["body"]) is bytes
