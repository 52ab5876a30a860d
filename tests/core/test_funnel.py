"""The funnel: who is asked, what comes back, and who is blamed."""

import pytest

from interlock.errors import HookFailed, UsageError
from interlock.plugins.funnel import Funnel, Member
from interlock.plugins.watch import UNANSWERED
from interlock_hookspecs import Check, InvalidInput, Maker, Model, Verdict, hookimpl


def funnel(*plugins, find_owner=None):
    members = [
        Member(maker=Maker(plugin=f"validate-{word}", version="1.2"), plugin=instance)
        for word, instance in plugins
    ]
    return Funnel(members, find_owner=find_owner)


def checking(*names):
    class Checking:
        @hookimpl
        def check_data(self, rows):
            return [Check(name=name, value=1.0) for name in names]

    return Checking()


def raising(error):
    class Raising:
        @hookimpl
        def check_data(self, rows):
            raise error

        @hookimpl
        def on_event(self, event):
            raise error

    return Raising()


def asked(funnel_):
    return funnel_.every("check_data", rows=None, task=None, reference=None)


def test_every_answer_is_flattened_in_stack_order_and_stamped():
    """Answers come in the order of the stack, each with the plugin that made it."""
    checks = asked(funnel(("b", checking("one", "two")), ("a", checking("three"))))
    assert [check.key for check in checks] == ["b.one", "b.two", "a.three"]
    assert checks[0].maker.version == "1.2"


def test_nobody_answering_every_is_an_empty_list():
    """What an empty list means is the caller's to say."""
    assert asked(funnel()) == ()


def test_a_shared_constant_is_stamped_for_each_who_returns_it():
    """A record that two plugins hand out carries each one's own stamp."""
    constant = Check(name="same", value=1.0)

    class Shared:
        @hookimpl
        def check_data(self, rows):
            return [constant]

    first, second = asked(funnel(("a", Shared()), ("b", Shared())))
    assert (first.key, second.key) == ("a.same", "b.same")


def test_a_forged_stamp_is_replaced():
    """A plugin that signs as another is stamped as itself."""

    class Forger:
        @hookimpl
        def check_data(self, rows):
            maker = Maker(plugin="validate-metrics", version="9")
            return [Check(name="roc_auc", value=1.0, maker=maker)]

    assert asked(funnel(("forger", Forger())))[0].key == "forger.roc_auc"


@pytest.mark.parametrize("answer", [Check(name="x", value=1.0), None, {"x": 1}])
def test_something_else_than_a_list_names_the_culprit(answer):
    """A wrong type names the plugin, its version and the hook."""

    class Wrong:
        @hookimpl
        def check_data(self, rows):
            return answer

    with pytest.raises(HookFailed, match=r"validate-wrong 1.2, hook check_data: gave"):
        asked(funnel(("wrong", Wrong())))


def test_a_wrong_record_in_the_list_names_the_culprit():
    """A list of another record is no list of checks."""

    class Wrong:
        @hookimpl
        def check_data(self, rows):
            return [Verdict(decision="approve", subject="x", reason="y")]

    with pytest.raises(HookFailed, match="gave Verdict, expected Check"):
        asked(funnel(("wrong", Wrong())))


def test_an_exception_carries_plugin_version_and_hook():
    """What a plugin raises is named, and its traceback is kept."""
    with pytest.raises(HookFailed, match=r"validate-bad 1\.2, hook check_data: ZeroDiv") as caught:
        asked(funnel(("bad", raising(ZeroDivisionError("by zero")))))
    assert caught.value.__cause__.__notes__ == ["plugin validate-bad 1.2, hook check_data"]


def test_an_explained_failure_keeps_its_own_words():
    """A PluginError is shown as the plugin wrote it."""
    with pytest.raises(HookFailed, match=r"hook check_data: no rows$"):
        asked(funnel(("bad", raising(InvalidInput("no rows")))))


def test_an_observer_that_fails_silences_no_other():
    """All observers hear; what failed comes back."""
    heard = []

    class Hearing:
        @hookimpl
        def on_event(self, event):
            heard.append(event)

    failed = funnel(("bad", raising(ValueError("x"))), ("good", Hearing())).observe(
        "on_event", event="happened"
    )
    assert heard == ["happened"]
    assert "validate-bad" in str(failed[0])


def test_an_observer_is_given_what_it_asks_for():
    """One that takes the event alone and one that takes the workspace too hear the same."""
    heard = []

    class Plain:
        @hookimpl
        def on_event(self, event):
            heard.append(event)

    class Looking:
        @hookimpl
        def on_event(self, event, ws):
            heard.append((event, ws))

    plain = funnel(("a", Plain()))
    assert not plain.asks("on_event", "ws")
    both = funnel(("a", Plain()), ("b", Looking()))
    assert both.asks("on_event", "ws")
    assert both.observe("on_event", event="happened", ws="workspace") == ()
    assert heard == ["happened", ("happened", "workspace")]


def test_first_stops_at_the_first_answer():
    """None passes the question on; nobody after the answer is asked."""

    def loader(answer, log):
        class Loading:
            @hookimpl
            def load_dataset(self, source):
                log.append(answer)
                return answer

        return Loading()

    from interlock_hookspecs import Dataset

    log, found = [], Dataset(source="x", format="y")
    members = ("a", loader(None, log)), ("b", loader(found, log)), ("c", loader(found, log))
    assert funnel(*members).first("load_dataset", source="x", task=None).source == "x"
    assert log == [None, found]
    with pytest.raises(UsageError, match=r"nobody answered for 'x'; asked: validate-a 1.2"):
        funnel(members[0]).first("load_dataset", source="x", task=None)


def test_two_who_implement_what_one_may_answer_are_refused():
    """Two trainers in one stack are an error when it loads."""

    class Trainer:
        @hookimpl
        def fit_candidate(self, rows):
            return None

    with pytest.raises(
        UsageError, match=r"both validate-a 1\.2 and validate-b 1\.2 implement fit_"
    ):
        funnel(("a", Trainer()), ("b", Trainer()))


def test_asking_for_what_nobody_implements_names_the_role():
    """The error says which key of the stack file to write."""
    with pytest.raises(UsageError) as caught:
        funnel(("a", checking("x"))).one("fit_candidate", rows=None, task=None, ws=None)
    assert caught.value.hint == "name one in the stack file: train = ..."


def test_the_owner_answers_as_it_was_configured():
    """A record's maker is asked with its own settings, not with those of the stack."""

    class Opener:
        def __init__(self, name):
            self.name = name

        @hookimpl
        def open_model(self, model):
            return self

        @property
        def signature(self):
            return None

        def predict(self, rows):
            return self.name

    def find_owner(owner):
        return Member(maker=owner, plugin=Opener("old"))

    members = [Member(maker=Maker(plugin="model-x", version="1"), plugin=Opener("new"))]
    asked_ = Funnel(members, find_owner=find_owner)
    old = Maker(plugin="model-x", version="1", settings='{"url":"old"}')
    assert asked_.owner("open_model", "model-x", model=None, ws=None).name == "new"
    assert asked_.owner("open_model", old, model=None, ws=None).name == "old"


def test_every_call_is_timed():
    """How often each plugin was asked and how long it took is kept."""
    timed = funnel(("a", checking("x")))
    asked(timed)
    asked(timed)
    timing = timed.timings["check_data", "validate-a"]
    assert timing.calls == 2
    assert timing.seconds > 0


def test_the_type_of_a_protocol_is_checked():
    """A predictor that cannot predict is none."""

    class Opener:
        @hookimpl
        def open_model(self, model):
            return object()

    with pytest.raises(HookFailed, match="gave object, expected Predictor"):
        funnel(("a", Opener())).owner("open_model", "validate-a", model=Model, ws=None)


class Watching:
    def __init__(self):
        self.seen = []

    def called(self, call):
        self.seen.append((str(call.maker), call.hook, dict(call.arguments), call.answer))
        self.seen.append(str(call.error))

    def refused(self, error):
        self.seen.append(str(error))


def test_a_watcher_sees_every_call_with_what_went_in_and_came_out():
    """Also the call that raised, and what is refused for its type."""
    watched = funnel(("a", checking()), ("bad", raising(InvalidInput("no rows"))))
    watched.watcher = Watching()
    with pytest.raises(HookFailed, match="no rows"):
        watched.every("check_data", rows=7, task=None, reference=None)
    assert watched.watcher.seen == [
        ("validate-a 1.2", "check_data", {"rows": 7}, []),
        "None",
        ("validate-bad 1.2", "check_data", {"rows": 7}, UNANSWERED),
        "plugin validate-bad 1.2, hook check_data: no rows",
    ]


def test_a_watcher_is_told_of_an_answer_of_the_wrong_type():
    """After the call, whose answer it saw as it came."""

    class Wrong:
        @hookimpl
        def check_data(self):
            return None

    watched = funnel(("wrong", Wrong()))
    watched.watcher = Watching()
    with pytest.raises(HookFailed) as caught:
        asked(watched)
    assert watched.watcher.seen == [
        ("validate-wrong 1.2", "check_data", {}, None),
        "None",
        str(caught.value),
    ]


def test_an_owner_that_gives_no_list_where_one_is_due_is_named():
    """None is no list of findings."""

    class Wrong:
        @hookimpl
        def compare_window(self, profile):
            return None

    with pytest.raises(HookFailed, match="hook compare_window: gave NoneType, expected a list"):
        funnel(("wrong", Wrong())).owner("compare_window", "validate-wrong", profile=None)
