"""A run killed anywhere: the record is whole, and the same run goes on to its end."""

import json
import os
import random
import urllib.request
from pathlib import Path

import pytest

from interlock_hookspecs import file_digest

KILL_POINTS = Path(__file__).with_name("kill_points.py")
KILLS = int(os.environ.get("INTERLOCK_KILLS", "15"))
SEED = 20_261_123
PROJECT = '''\
"""Counts fits, and dies after the event that KILL_AFTER names."""

import os
import signal
from pathlib import Path

from interlock_hookspecs import hookimpl

left = int(os.environ.get("KILL_AFTER", "0").split()[-1])


def estimator():
    from sklearn.tree import DecisionTreeClassifier

    with Path(__file__).with_name("fits").open("a") as fits:
        fits.write("x")
    return DecisionTreeClassifier(max_depth=3)


@hookimpl
def on_event(event):
    global left
    if event.kind == os.environ.get("KILL_AFTER", "").split()[0]:
        left -= 1
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)
'''
STAGES = 7


@pytest.fixture(scope="module")
def project(make_project, tmp_path_factory):
    """A project that serves already, so that each run takes its endpoint over."""
    made = make_project(tmp_path_factory.mktemp("kill") / "small")
    (made.folder / "project.py").write_text(PROJECT, encoding="utf-8")
    made.edit('"sklearn.tree.DecisionTreeClassifier"', '"project:estimator"')
    made.edit("parameters = { max_depth = 3 }", "")
    made("run")
    yield made
    made.close()
