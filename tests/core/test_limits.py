"""A hook that takes too long: ended on the main thread, named, and nothing left behind."""

import contextlib
import logging
import signal
import threading
import time

import pytest

from interlock.errors import HookFailed
from interlock.plugins.funnel import Funnel, Member
from interlock.plugins.limits import HookTimeout, within
from interlock_hookspecs import Maker, hookimpl


def funnel(function, seconds):
    class Slow:
        @hookimpl
        def check_data(self):
            return function() or []

    maker = Maker(plugin="validate-slow", version="1.2")
    return Funnel([Member(maker=maker, plugin=Slow(), hook_timeout=seconds)])


def asked(funnel_):
    return funnel_.every("check_data", rows=None, task=None, reference=None)


def hang():
    time.sleep(30)


def test_a_hook_that_hangs_is_named_with_its_version_and_its_limit():
    """The error has plugin, version and hook, how long it had, and what to do."""
    with pytest.raises(HookFailed) as caught:
        asked(funnel(hang, 0.1))
    message = "plugin validate-slow 1.2, hook check_data: gave no answer in 0.1 s"
    assert str(caught.value) == message
    assert "hook_timeout" in caught.value.hint


def test_a_hook_that_is_quick_leaves_no_alarm_behind():
    """Timer and handler are as they were, and the answer comes through."""
    before = signal.getsignal(signal.SIGALRM)
    assert asked(funnel(list, 5)) == ()
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    assert signal.getsignal(signal.SIGALRM) is before


def test_a_plugin_does_not_swallow_the_alarm_by_the_way():
    """`except Exception` lets it by; after a bare `except` it comes again."""

    def greedy():
        with contextlib.suppress(BaseException):
            time.sleep(30)
        time.sleep(30)

    def handling():
        with contextlib.suppress(Exception):
            time.sleep(30)

    for function in (handling, greedy):
        with pytest.raises(HookFailed, match=r"gave no answer in 0\.1 s"):
            asked(funnel(function, 0.1))


@pytest.mark.parametrize(("outer", "inner"), [(0.1, 5), (5, 0.1)])
def test_of_two_calls_in_one_another_the_one_that_is_over_time_is_ended(outer, inner):
    """An inner limit is its own; an outer one ends the inner call with it."""
    said = []

    def nested():
        try:
            within(inner, "inner", hang, ())
        except HookTimeout as error:
            said.append(str(error))
        return "went on"

    if outer < inner:
        with pytest.raises(HookTimeout, match=r"in 0\.1 s"):
            within(outer, "outer", nested, ())
        assert said == []
    else:
        assert within(outer, "outer", nested, ()) == "went on"
        assert said == ["gave no answer in 0.1 s"]
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_outside_of_the_main_thread_the_limit_is_said_not_to_hold(caplog):
    """No signal reaches another thread: the hook goes on, and a warning says so."""
    answers = []

    def work():
        answers.append(within(0.05, "validate-slow 1.2, check_data", time.sleep, (0.2,)))

    with caplog.at_level(logging.WARNING, "interlock.plugins"):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert answers == [None]
    assert "not kept outside of the main thread" in caplog.text
