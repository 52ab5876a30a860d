"""Ways around the gates by what is measured, judged or written in the policy: each stays shut."""

import pytest

MODULE = """
from interlock_hookspecs import Check, Maker, Verdict, hookimpl
"""
REVIEW = (
    MODULE
    + """
@hookimpl
def review(dossier):
    {body}
"""
)
APPROVES = 'return [Verdict(decision="approve", subject="metrics.roc_auc", reason="I say so")]'
MEASURES = (
    MODULE
    + """
@hookimpl
def check_model(predictor, heldout):
    return [{check}]
"""
)
PLATFORM = """
[policy.bounds]
"metrics.roc_auc" = ">= 0.7"
"""


@pytest.fixture
def refused(project):
    """Run a project that a gate must refuse: exit 3, one clear sentence, an event, no release."""

    def run(sentence, *words, **stack):
        tried = project(**stack)
        said = tried("run", *words, expect=3)
        assert said.err.splitlines()[-1].startswith("next: interlock review run-")
        (reason,) = [line for line in said.err.splitlines() if sentence in line]
        assert reason.startswith("  - ")
        (held,) = tried.events("review.held")
        assert held["outcome"] == "refused"
        assert reason.removeprefix("  - ") in held["reasons"]
        assert tried.events("release.made") == []
        assert tried.run["status"] == "refused"
        return tried

    return run


def unmeasured(tried, *says):
    """A run is refused where it is measured: exit 3, one sentence, an event, no version."""
    said = tried("run", expect=3)
    (line,) = [line for line in said.err.splitlines() if line.startswith("refused: ")]
    for text in ("plugin project", *says):
        assert text in line
    assert said.err.splitlines()[-1].startswith("next: mend it, then interlock run --resume run-")
    (event,) = tried.events("stage.refused")
    assert event["message"] == line.removeprefix("refused: ")
    assert tried.run["status"] == "refused"
    assert tried.listed("models") == []


@pytest.fixture
def included(project):
    """Make a project that includes a platform team's policy, and give what may be edited."""

    def make(platform=PLATFORM, **stack):
        made = project(head='include = ["platform.toml"]', **stack)
        (made.folder / "platform.toml").write_text(platform, encoding="utf-8")
        return made

    return make


@pytest.mark.parametrize("govern", ["[]", '["card"]'])
def test_a_stack_that_lets_nobody_judge_releases_nothing(refused, govern):
    """Without a verdict there is no release: an empty list is no yes."""
    refused("no plugin of govern gave a verdict", govern=govern)


def test_a_policy_without_bounds_releases_nothing(refused):
    """A model that nothing is asked of is not released."""
    refused("the policy has no bounds: a model that nothing is asked of", bounds="")


def test_a_plugin_that_gives_no_verdict_is_no_yes(refused):
    """An empty list of verdicts refuses, as no plugin at all does."""
    module = REVIEW.format(body="return []")
    refused("no plugin of govern gave a verdict", govern="[]", module=module)


def test_a_plugin_that_raises_refuses(refused):
    """The culprit is named with its hook, though another plugin approved."""
    module = REVIEW.format(body='raise RuntimeError("no network")')
    refused("hook review: RuntimeError: no network", module=module)


def test_a_plugin_that_gives_something_else_refuses(refused):
    """A True is no verdict."""
    refused("hook review: gave bool, expected a list of Verdict",
            module=REVIEW.format(body="return True"))  # fmt: skip


def test_a_yes_does_not_outvote_a_no(refused):
    """One plugin approves the bound that another refuses: refused."""
    refused("metrics.roc_auc is", module=REVIEW.format(body=APPROVES),
            bounds='"metrics.roc_auc" = ">= 0.999"')  # fmt: skip


def test_a_no_of_the_project_refuses_what_the_policy_lets_pass(refused):
    """Any refusal refuses."""
    body = 'return [Verdict(decision="refuse", subject="mood", reason="not on a Friday")]'
    refused("not on a Friday", module=REVIEW.format(body=body))


@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
def test_a_check_that_is_no_number_cannot_be_made(project, value):
    """A NaN would pass no comparison and fail none: refused, its maker named."""
    check = f'Check(name="loss", value=float("{value}"))'
    tried = project(module=MEASURES.format(check=check), bounds='"project.loss" = "<= 1"')
    unmeasured(tried, "hook check_model: ValueError")


@pytest.mark.parametrize(
    ("answer", "says"),
    [("[1.0]", "gave float, expected Check in its list"), ("1 / 0", "ZeroDivisionError")],
)
@pytest.mark.parametrize("hook", ["check_data(rows)", "check_model(heldout)"])
def test_a_measurement_that_fails_refuses(project, hook, answer, says):
    """What it would have found nobody knows; mended, the same run goes on."""
    name = hook.partition("(")[0]
    tried = project(module=f"{MODULE}\n@hookimpl\ndef {hook}:\n    return {answer}\n")
    unmeasured(tried, f"hook {name}: ", says)
    (tried.folder / "project.py").write_text("", encoding="utf-8")
    tried("run", "--resume", tried.run["id"], "--until", "review")
    assert len(tried.events("release.made")) == 1


@pytest.mark.parametrize("hook", ["describe_model(dossier)", "render_card(dossier)"])
def test_a_card_that_cannot_be_written_refuses(refused, hook):
    """Who decides would have nothing to read."""
    name = hook.partition("(")[0]
    module = f"{MODULE}\n@hookimpl\ndef {hook}:\n    return 1 / 0\n"
    govern = '["policy", "card"]' if name == "describe_model" else '["policy"]'
    refused(f", hook {name}: ZeroDivisionError", module=module, govern=govern)


def test_a_bound_that_nobody_measured_refuses(refused):
    """What was not measured does not pass, where no plugin said beforehand that it cannot be."""
    module = MEASURES.format(check='Check(name="loss", value=0.5)')
    refused("nobody measured project.los,", module=module, bounds='"project.los" = "<= 1"')


def test_a_check_without_a_value_refuses(refused):
    """A measurement that could not be made counts as none."""
    module = MEASURES.format(check='Check(name="loss", reason="no rows")')
    refused("project.loss has no value: no rows", module=module, bounds='"project.loss" = "<= 1"')


def test_too_few_measured_groups_refuse(refused):
    """A ratio needs two groups that are large enough."""
    refused("fairness.selection_rate_ratio[group] has no value", policy="min_group = 10000",
            bounds='"fairness.selection_rate_ratio[group]" = ">= 0.1"')  # fmt: skip


def test_an_undersized_group_waits_for_a_reason(project):
    """Two groups are measured, a third is too small: a person says why that will do."""
    tried = project(bounds='"fairness.selection_rate_ratio[group]" = ">= 0.1"')
    said = tried("run", expect=4)
    assert "without groups of under 100 rows: group=c" in said.err
    assert tried.events("review.held")[0]["outcome"] == "waiting"
    tried("approve", tried.run["id"], "--reason", "c is new", actor="ben")
    tried("run", "--resume", tried.run["id"], "--until", "review")


def test_a_check_of_the_project_does_not_satisfy_an_included_bound(included):
    """Neither by its name nor by a maker that it claims."""
    claimed = 'maker=Maker(plugin="validate-metrics", version="1")'
    names = [f'Check(name="roc_auc", value=1.0, n=9, {claimed})',
             'Check(name="metrics.roc_auc", value=1.0, n=9)']  # fmt: skip
    tried = included(module=MEASURES.format(check=", ".join(names)), bounds="")
    tried.edit('validate = ["metrics", "fairness"]', 'validate = ["fairness"]')
    assert "nobody in this stack measures as 'metrics'" in tried("run", expect=2).err
    tried("run", "--until", "validate")
    said = tried("review", expect=3)
    assert "nobody measured metrics.roc_auc" in said.err
    assert tried.events("review.held")[0]["outcome"] == "refused"


def test_the_project_does_not_judge_an_included_bound(included):
    """The project's hook may refuse what a platform asks, and not approve it."""
    tried = included(module=REVIEW.format(body=APPROVES), bounds="", govern="[]")
    assert "nobody judged the bound metrics.roc_auc >= 0.7" in tried("run", expect=3).err
    assert tried.events("release.made") == []


def test_a_bound_of_the_projects_own_may_be_judged_by_the_project(project):
    """Whoever sets a bound says who judges it."""
    tried = project(module=REVIEW.format(body=APPROVES), govern="[]")
    tried("run", "--until", "review")
    assert len(tried.events("release.made")) == 1


@pytest.mark.parametrize(
    ("policy", "own", "sentence"),
    [
        ("[policy]\napprovals = 2", "approvals = 1", "1 loosens platform.toml:"),
        ("[policy]\nself_approval = false", "self_approval = true", "true loosens platform.toml:"),
        ("[policy]\nmin_group = 200", "min_group = 10", "10 loosens platform.toml:"),
        (
            "[policy]\nrelease_days = 30",
            "release_days = 90",
            "loosens platform.toml:2, which says 30",
        ),
        ('[policy.bounds]\n"metrics.roc_auc" = ">= 0.9"', "", '">= 0.7" (refuse) loosens'),
        ('[policy]\nvalidate = ["leakage"]', "", "lacks 'leakage', which the policy requires"),
        ('[policy]\ngovern = ["card"]', "", "lacks 'card', which the policy requires"),
    ],
)
def test_an_included_policy_is_not_loosened(included, policy, own, sentence):
    """The stack file is refused before anything runs; the sentence says who asks for what."""
    tried = included(policy, policy=own)
    said = tried("run", expect=2)
    assert sentence in said.err
    assert not (tried.folder / ".interlock").exists()


@pytest.mark.parametrize("switched", ["govern", "validate"])
def test_set_does_not_drop_what_an_included_policy_requires(included, switched):
    """A required plugin is required of the command line, too."""
    tried = included('[policy]\nvalidate = ["fairness"]\ngovern = ["policy"]\n')
    said = tried("run", "--set", f"{switched}=[]", expect=2)
    assert "which the policy requires (platform.toml:" in said.err


def test_an_included_policy_is_not_left_out(included):
    """What once bound a project binds it until the policy's owner withdraws it."""
    tried = included(PLATFORM.replace("0.7", "0.999"), bounds='"metrics.recall" = ">= 0.1"')
    tried("run", expect=3)
    tried.edit('include = ["platform.toml"]', "")
    for again in (["--resume", tried.run["id"]], []):
        said = tried("run", *again, expect=3)
        assert "the policy of 'platform.toml' binds this project" in said.err
    assert [held["outcome"] for held in tried.events("review.held")] == ["refused"] * 3

    tried.edit("[project]", 'include = ["platform.toml"]\n[project]')
    (tried.folder / "platform.toml").write_text("", encoding="utf-8")
    tried("run", "--until", "review")
    tried.edit('include = ["platform.toml"]', "")
    tried("run", "--until", "review")


def test_an_included_policy_that_was_eased_in_place_is_on_record(included):
    """Its owner may; each review keeps the policy that it judged by, in a dossier of its own."""
    from interlock.lifecycle.dossiers import dossier_of

    tried = included(PLATFORM.replace("0.7", "0.999"), bounds="")
    tried("run", expect=3)
    refused_run = tried.run["id"]
    (tried.folder / "platform.toml").write_text(PLATFORM, encoding="utf-8")
    tried("run", "--until", "review")
    reads = (session := tried.session()).ledger.reads
    dossiers = [
        dossier_of(session, reads.latest_review(run)) for run in (refused_run, tried.run["id"])
    ]
    assert [[bound.text for bound in one.policy.bounds] for one in dossiers] == [
        [">= 0.999"],
        [">= 0.7"],
    ]
    assert dossiers[0].model.digest == dossiers[1].model.digest
    assert dossiers[0].digest != dossiers[1].digest


@pytest.mark.parametrize("key", ["policy.approvals=0", "policy.bounds={}", "policy={}"])
def test_set_does_not_reach_the_policy(project, key):
    """A run is judged by what the stack file says."""
    tried = project(policy="approvals = 1")
    assert "the policy is never overridden" in tried("run", "--set", key, expect=2).err
    assert not (tried.folder / ".interlock").exists()


@pytest.mark.parametrize("limit", ["nan", "inf", "1e999"])
def test_a_bound_is_a_finite_number(project, limit):
    """A bound that nothing could break, or keep, is refused as it is written."""
    tried = project(bounds=f'"metrics.roc_auc" = "<= {limit}"')
    assert "is no bound" in tried("run", expect=2).err
