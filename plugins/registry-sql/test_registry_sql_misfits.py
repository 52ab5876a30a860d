"""What the registry says it cannot hold, before it is asked to."""

import pytest

from interlock_hookspecs import Artifact, Model, ModelVersion, Signature
from interlock_registry_sql import SqlRegistry


def version(**parts):
    """A version of another registry."""
    artifact = Artifact(digest="sha256:" + "0" * 64, size=9, name="model.skops")
    signature = Signature(kind="binary", inputs=(), outputs=())
    model = Model(format="skops", artifact=artifact, signature=signature)
    return ModelVersion(
        **{"id": "version-1", "name": "small", "number": "7", "model": model} | parts
    )


@pytest.mark.parametrize(
    ("parts", "what", "reason"),
    [
        ({"name": "n" * 501}, "name", "it has 501 characters: expected 1 to 500"),
        ({"id": "v" * 201}, "id", "it has 201 characters: expected 1 to 200"),
        (
            {"aliases": ("champion", "a\0b")},
            "alias 'a\\x00b'",
            "it holds a character that no database",
        ),
        ({"aliases": ("a" * 101,)}, f"alias '{'a' * 40}…'", "it has 101 characters"),
    ],
)
def test_a_misfit_names_its_part_and_the_reason(tmp_path, parts, what, reason):
    """One for each text that is too long, or that no database stores; no file is made."""
    (found,) = SqlRegistry(root=tmp_path).find_misfits(version=version(**parts))
    assert found.what == what
    assert found.reason.startswith(reason)
    assert list(tmp_path.iterdir()) == []


def test_a_version_that_fits_has_none(tmp_path):
    """At the very limits there is nothing to say."""
    most = version(name="n" * 500, id="v" * 200, aliases=("a" * 100,))
    assert SqlRegistry(root=tmp_path).find_misfits(version=most) == []
