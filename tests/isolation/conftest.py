"""Environments that have a plugin which core's has not, made in a moment: no package is fetched."""

import site
import venv
from pathlib import Path

import pytest
from installed import distribution

from interlock.errors import HookFailed
from interlock.plugins.funnel import Funnel, Member
from interlock_hookspecs import Maker, Task
from interlock_worker.parent import WorkerPlugin

PLUGIN = Path(__file__).parent / "apart" / "interlock_validate_apart.py"
NAME = "validate-apart"


def make_environment(folder, *, with_worker=True, source=None, entry="Apart"):
    """A virtual environment with the plugin in it; gives its interpreter."""
    venv.create(folder, with_pip=False, symlinks=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    module = packages / PLUGIN.name
    module.write_text(source or PLUGIN.read_text(encoding="utf-8"), encoding="utf-8")
    points = f"[interlock.validate]\napart = {PLUGIN.stem}:{entry}\n"
    distribution(packages, "interlock-validate-apart", "1.5", points)
    if with_worker:
        # All that this interpreter has, its editable members included.
        ours = next(place for place in site.getsitepackages() if Path(place).is_dir())
        (packages / "ours.pth").write_text(f"import site; site.addsitedir({ours!r})\n")
    return folder / "bin" / "python"


@pytest.fixture(scope="session")
def python(tmp_path_factory):
    """The interpreter of an environment with the plugin."""
    return make_environment(tmp_path_factory.mktemp("environment") / "venv")


@pytest.fixture
def worker(python):
    """Make the plugin's worker; every one is closed with the test."""
    made = []

    def make(**options):
        found = WorkerPlugin(NAME, options.pop("python", python), **options)
        made.append(found)
        return found

    yield make
    for one in made:
        one.close()


@pytest.fixture
def told(worker, tmp_path):
    """Ask a plugin that does as it is told, through the funnel."""

    def tell(do, *, rows=None, dataset="rows.csv", worker_=None, **settings):
        options = {
            key: settings.pop(key) for key in ("hook_timeout", "restarts") if key in settings
        }
        cls = (worker_ or worker(**options)).plugin_class()
        instance = cls(do=do, folder=tmp_path, **settings)
        task = Task(dataset=dataset)
        return asked(instance, "check_data", rows=rows, task=task, reference=None)

    return tell


def asked(instance, hook, **arguments):
    """What a plugin answers, through the funnel."""
    maker = Maker(plugin=NAME, version="1.5")
    # What it leaves out is asked when a stack loads, not with each call: it may be down by now.
    member = Member(maker=maker, plugin=instance, left_out=frozenset())
    return Funnel([member]).every(hook, **arguments)


@pytest.fixture
def failing(told):
    """As `told`, for what fails: the error."""

    def tell(do, **settings):
        with pytest.raises(HookFailed) as caught:
            told(do, **settings)
        return caught.value

    return tell


@pytest.fixture
def ask():
    """Ask an instance a hook, through the funnel."""
    return asked


@pytest.fixture
def environment():
    """Make an environment in a folder; see `make_environment`."""
    return make_environment
