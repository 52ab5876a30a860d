"""Listings on terminals of any width."""

import sys

import pytest

from interlock.cli.render import print_table

HEADINGS = ["deployment", "now", "address", "since", "detail"]
WHY = "release release-0a1b2c3d was revoked by ana: the labels of March are wrong"
ROWS = [
    ["deployment-0a1b2c3d", "live", "http://127.0.0.1:40123", "2026-03-02 03:14:09", WHY],
    ["deployment-4e5f6a7b", "answers", "http://127.0.0.1:40124", "2026-03-02 03:15:10", ""],
]


@pytest.fixture
def printed(capsys, monkeypatch):
    """What a table looks like: on a terminal so wide, or in a pipe for None."""

    def show(width, rows=ROWS):
        monkeypatch.setenv("NO_COLOR", "1")
        monkeypatch.setenv("TERM", "dumb")
        if width is not None:
            monkeypatch.setenv("COLUMNS", str(width))
            monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
        print_table(HEADINGS, rows)
        return capsys.readouterr().out

    return show


@pytest.mark.parametrize("width", [None, 20, 40, 80, 100, 120, 300])
def test_what_is_there_to_be_copied_is_never_broken(printed, width):
    """An id, an address and a time stand whole in a line, however narrow the terminal is."""
    text = printed(width)
    lines = text.splitlines()
    for row in ROWS:
        for cell in row[:4]:
            assert any(cell in line for line in lines), cell
    assert WHY.split() == [word for word in text.split() if word in WHY.split()]
    if width and width >= 100:
        assert max(map(len, lines)) <= width


def test_a_narrow_terminal_gets_each_row_as_lines_of_their_own(printed):
    """Each cell below its heading's name; one that says nothing is left out."""
    assert printed(80, ROWS[1:]).splitlines() == [
        "",
        "deployment  deployment-4e5f6a7b",
        "now         answers",
        "address     http://127.0.0.1:40124",
        "since       2026-03-02 03:15:10",
        "",
    ]


@pytest.mark.parametrize("width", [None, 20, 80, 300])
def test_a_table_without_rows_has_its_headings_at_the_most(printed, width):
    """Nothing to show is no error."""
    assert "deployment-" not in printed(width, [])
