"""What `make lint` takes for a circle of modules."""

import pytest
from tools.circles import circles, imported, modules


@pytest.fixture
def found(tmp_path):
    """The circles of a distribution with one package, whose modules say what is given."""

    def write(**said):
        package = tmp_path / "acme"
        package.mkdir()
        (package / "__init__.py").touch()
        for name, text in said.items():
            (package / f"{name}.py").write_text(text)
        paths = modules(tmp_path)
        return circles({name: {*imported(path, paths)} for name, path in paths.items()})

    return write


def test_modules_that_import_one_way_are_no_circle(found):
    assert found(a="from acme.b import B", b="from acme import c", c="import attrs") == []


@pytest.mark.parametrize(
    "back",
    [
        "import acme.a",
        "from acme import a",
        "def later():\n    from acme.a import A",
        "if TYPE_CHECKING:\n    from acme.a import A",
    ],
)
def test_a_module_that_is_imported_back_makes_a_circle(found, back):
    assert found(a="from acme.b import B", b="from acme.c import C", c=back) == [
        ("acme.a", "acme.b", "acme.c")
    ]


def test_a_name_of_the_package_is_of_its_own_module(found):
    assert found(__init__="from acme.a import A", a="from acme import B") == [("acme", "acme.a")]


def test_two_circles_are_two(found):
    one = {"a": "import acme.b", "b": "import acme.a"}
    two = {"c": "import acme.d, acme.a", "d": "import acme.c"}
    assert found(**one, **two) == [("acme.a", "acme.b"), ("acme.c", "acme.d")]


def test_tests_are_no_modules(found, tmp_path):
    (tmp_path / "tests").mkdir()
    for name in ("test_a.py", "conftest.py", "tests/shared.py"):
        (tmp_path / name).write_text("import acme.a")
    assert found(a="import test_a, conftest") == []
