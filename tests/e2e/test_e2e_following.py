"""What a command proposes to type next is for the stack that it was told to work with."""

import pytest

PROD = """
[stack.prod]
extends = "dev"
ledger = "sqlite:///prod/ledger.db"
artifacts = "prod/artifacts"
"""


@pytest.fixture
def two_stacks(interlock_project):
    """A project whose second stack has a ledger of its own, and wants somebody's approval."""
    project = interlock_project({"deploy": None, "monitor": None}, approvals=1)
    with (project.folder / "interlock.toml").open("a", encoding="utf-8") as file:
        file.write(PROD)
    return project


def test_each_command_after_another_stays_in_the_stack(two_stacks):
    """Waiting, approving, releasing and revoking name the stack; typed as said, all of it works."""
    run = ("run", "--stack", "prod")
    waiting = two_stacks(*run, expect=4).err
    name = two_stacks.listed("runs", "--stack", "prod")[0]["id"]
    short = f"run-{name[-8:]}"
    again = f"interlock run --stack prod --resume {short}"
    assert (
        f'next: interlock approve --stack prod {short} --reason "..." and then {again}' in waiting
    )
    assert f"interlock approve --stack prod {short}" in two_stacks("status", "--stack", "prod").out
    approve = ("approve", "--stack", "prod", short, "--reason", "read it")
    assert f"next: {again}\n" in two_stacks(*approve, actor="ravi").err
    two_stacks(*run, "--resume", short)
    release = two_stacks.listed("runs", "--stack", "prod")[0]["release"]
    revoked = two_stacks("revoke", "--stack", "prod", release, "--reason", "no").err
    assert "next: interlock rollback --stack prod\n" in revoked


def test_a_command_that_names_no_stack_proposes_none(two_stacks):
    """The first stack of the file goes without saying, also after a command that named another."""
    two_stacks("runs", "--stack", "prod")
    assert "--stack" not in two_stacks("run", expect=4).err
    found = two_stacks("show", "run-00000000", "--file", "interlock.toml", expect=1)
    assert "interlock runs --file interlock.toml lists" in found.err
