"""What serving asks of its process: memory that is freed at once, and threads that give way."""

import gc
import sys

import pytest
from asking import ROW


def test_an_answered_request_leaves_nothing_to_collect(serving, target):
    """It is freed with its answer: until a collection comes, memory grows and gets cold."""
    with serving(target(1)) as client, client.connect() as connection:
        for _ in range(20):
            client.infer(ROW, connection=connection)
        gc.collect()
        gc.disable()
        gc.set_debug(gc.DEBUG_SAVEALL)
        try:
            for _ in range(50):
                client.infer(ROW, connection=connection)
            gc.collect()
            left = [type(each).__module__ for each in gc.garbage]
        finally:
            gc.set_debug(0)
            gc.garbage.clear()
            gc.enable()
    assert [module for module in left if module.startswith(("interlock", "uvicorn"))] == []


def test_a_thread_keeps_the_loop_waiting_for_a_moment_only(serving, target):
    """While it serves; afterwards the process has the turns that it had."""
    before = sys.getswitchinterval()
    with serving(target(1)) as client:
        assert client.infer(ROW)[0] == 200
        assert sys.getswitchinterval() == pytest.approx(0.0005)
    assert sys.getswitchinterval() == before
