"""The form of a plugin: what is looked at before it is asked anything, and what it leaves out."""

import os
import py_compile
import sys

import pytest

from interlock.errors import UsageError
from interlock.plugins.funnel import Funnel, Member
from interlock.plugins.load import import_project
from interlock_hookspecs import Maker, hookimpl, plugin, setting
from interlock_hookspecs.form import breaches, omissions


def wrong_plugins():
    def wrapper(self, rows):
        yield

    def eager(self, rows):
        return []

    def keyword(self, *, rows):
        return []

    def default(self, rows, task=None):
        return []

    def stranger(self, rows, champoin):
        return []

    def splat(self, **rest):
        return []

    def chek_data(self, rows):
        return []

    yield {"check_data": hookimpl(wrapper=True)(wrapper)}, "asks for wrapper"
    yield {"check_data": hookimpl(tryfirst=True)(eager)}, "asks for tryfirst"
    yield {"check_data": hookimpl(keyword)}, "by keyword only"
    yield {"check_data": hookimpl(default)}, "gives 'task' a default"
    yield {"check_model": hookimpl(stranger)}, "'champoin', which the contract lacks; did you"
    yield {"check_data": hookimpl(splat)}, "name the arguments"
    yield {"chek_data": hookimpl(chek_data)}, "no hook 'chek_data'; did you mean 'check_data'"
    yield {}, "implements no hook of the role validate"


def misunderstood_plugins():
    async def awaited(self, rows):
        return []

    def static(rows):
        return []

    def renamed(self, dataset):
        return []

    yield {"check_data": hookimpl(awaited)}, "nobody awaits it: write it with a plain def"
    yield {"check_data": hookimpl(staticmethod(static))}, "is a staticmethod: make it a plain"
    yield {"check_data": hookimpl(renamed)}, "'dataset', which the contract lacks; it has rows, t"


@pytest.mark.parametrize(("body", "said"), [*wrong_plugins(), *misunderstood_plugins()])
def test_a_breach_of_the_contracts_form_is_named(body, said):
    """Each wrong form is one line that says what is wrong."""
    cls = plugin(contract="1.0")(type("Wrong", (), body))
    assert any(said in breach for breach in breaches(cls, "validate"))


def test_an_entry_point_that_names_no_class_is_told():
    """An instance has the class's hooks, and cannot be given settings."""
    cls = plugin(contract="1.0")(type("Made", (), {"check_data": hookimpl(lambda self, rows: [])}))
    assert list(breaches(cls(), "validate")) == [
        "it is a Made and no class: let the entry point name the class"
    ]


def test_settings_whose_types_cannot_be_read_are_told():
    """A name that is imported for type checking alone is not there when a stack is read."""
    body = {"__annotations__": {"size": "Nowhere"}, "size": setting(None, doc="how large")}
    cls = plugin(contract="1.0")(
        type("Typed", (), {**body, "check_data": hookimpl(lambda self, rows: [])})
    )
    (breach,) = breaches(cls, "validate")
    assert breach.startswith("its settings' annotations cannot be read (name 'Nowhere' is not")


@pytest.mark.parametrize("stated", ["2.0", "1.9", "new"])
def test_another_contract_version_is_refused(stated):
    """A plugin of another major or a newer minor version does not load."""
    cls = plugin(contract=stated)(type("Old", (), {"check_data": hookimpl(lambda self, rows: [])}))
    assert any(f"written for contract {stated}" in breach for breach in breaches(cls, "validate"))


def test_a_required_hook_that_is_missing_is_named():
    """A registry without set_alias is no registry."""
    cls = plugin(contract="1.0")(
        type("Half", (), {"get_version": hookimpl(lambda self, name, ref: None)})
    )
    found = list(breaches(cls, "registry"))
    assert "the role registry requires the hook set_alias" in found


def test_a_server_of_ours_stands_in_for_apply_endpoint():
    """serve_endpoint is enough; with neither, both are named."""
    serving = {
        "serve_endpoint": hookimpl(lambda self, endpoint: None),
        "endpoint_status": hookimpl(lambda self, deployment: None),
    }
    cls = plugin(contract="1.0")(type("Serving", (), dict(serving)))
    assert list(breaches(cls, "deploy")) == []
    del serving["serve_endpoint"]
    cls = plugin(contract="1.0")(type("Neither", (), serving))
    assert "requires the hook apply_endpoint or serve_endpoint" in next(breaches(cls, "deploy"))


@plugin(contract="1.0")
class Several:
    """Serves here or elsewhere, by a setting."""

    left: tuple[str, ...] = setting((), doc="what it leaves out")

    @property
    def hooks_left_out(self):
        return self.left

    @hookimpl
    def serve_endpoint(self):
        pass

    @hookimpl
    def apply_endpoint(self):
        return "applied"

    @hookimpl
    def endpoint_status(self):
        return "status"


def together(*plugins):
    """The funnel of a stack that names these."""
    makers = [Maker(plugin=f"deploy-{place}", version="1.2") for place in range(len(plugins))]
    pairs = zip(makers, plugins, strict=True)
    return Funnel([Member(maker=maker, plugin=plugin) for maker, plugin in pairs])


def test_a_hook_that_is_left_out_is_one_that_the_plugin_lacks():
    """It is not asked, is nobody's rival, and is asked of by name in vain."""
    here, there = Several(left=("apply_endpoint",)), Several(left=("serve_endpoint",))
    both = together(here, there)
    assert both.makers("apply_endpoint") == (both.members[1].maker,)
    assert both.makers("serve_endpoint") == (both.members[0].maker,)
    assert both.can("serve_endpoint", both.members[0].maker)
    assert not both.can("apply_endpoint", both.members[0].maker)
    with pytest.raises(UsageError, match="has no apply_endpoint as it is configured"):
        both.owner("apply_endpoint", both.members[0].maker)
    with pytest.raises(UsageError, match=r"both .* implement serve_endpoint"):
        together(here, Several(left=here.left))


@pytest.mark.parametrize(
    ("left", "told"),
    [
        (("apply_endpoint",), None),
        (
            ("aply_endpoint",),
            "it does not implement; did you mean 'apply_endpoint'?",
        ),
        (("read_traffic",), "it leaves out 'read_traffic', which it does not implement"),
        (("endpoint_status",), "as it is configured: the role deploy requires the hook endpoint_s"),
        (
            ("apply_endpoint", "serve_endpoint"),
            "as it is configured: the role deploy requires the hook apply_endpoint or serve",
        ),
        ("apply_endpoint", "TypeError: hooks_left_out: expected a tuple of names of hooks"),
        (1, "what it leaves out is not told: TypeError"),
    ],
    ids=str,
)
def test_what_is_left_out_is_checked_when_a_stack_loads(left, told):
    """Names that it does not implement, and what its role cannot do without, are refused."""
    found = list(omissions(Several(left=left), "deploy"))
    assert bool(found) == bool(told)
    assert told is None or told in found[0]


def test_a_fault_of_what_tells_the_omissions_is_no_silence():
    """A property that raises, an AttributeError too, is told with the plugin."""

    class Faulty(Several):
        @property
        def hooks_left_out(self):
            return self.missing

    assert next(iter(omissions(Faulty(), "deploy"))).startswith("what it leaves out is not told")


def test_a_project_module_runs_as_it_is_written(tmp_path, monkeypatch):
    """Kept bytecode of another text stays aside, though size and time of the file fit it.

    The digest of the text is what is recorded of it.
    """
    path = tmp_path / "bytecode.py"
    path.write_text("ANSWER = 1", encoding="utf-8")
    py_compile.compile(str(path))
    written = path.stat()
    path.write_text("ANSWER = 2", encoding="utf-8")
    os.utime(path, ns=(written.st_atime_ns, written.st_mtime_ns))
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "interlock_project_bytecode", raising=False)
    assert import_project(path).ANSWER == 2
