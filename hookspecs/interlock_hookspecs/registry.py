"""The registry: numbered versions of a named model, and the aliases that move between them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interlock_hookspecs.rules import every, one

if TYPE_CHECKING:
    from interlock_hookspecs.artifacts import Artifact
    from interlock_hookspecs.models import Model
    from interlock_hookspecs.values import Facts
    from interlock_hookspecs.versions import Misfit, ModelVersion, VersionPage
    from interlock_hookspecs.workspace import Workspace


@one("registry")
def register_version(name: str, id: str, model: Model, facts: Facts, ws: Workspace) -> ModelVersion:  # noqa: A002  (the record's own word)
    """Register a model under a name, as a new version.

    Asked: the only plugin of the stack that implements it.

    Asked again with the same ``id``, or with a digest that the name already has, the registry
    gives the version that exists, with ``existing`` set. A number is never used twice, not even
    after a version was deleted, and many callers at once get distinct numbers.

    Args:
        name: the model's name; any Unicode text.
        id: which registration this is.
        model: what to register.
        facts: lineage to keep beside it.
        ws: locates the artifact, for a registry that keeps its own copy. The artifact stays
            intact, in a subfolder of whatever the registry's own format adds.

    Raises:
        Unavailable: the registry cannot be reached.
        Conflict: the id stands for another model already.

    Example:
        >>> class Shelf:
        ...     versions = []
        ...     @hookimpl
        ...     def register_version(self, name, id, model, facts, ws):
        ...         number = str(len(self.versions) + 1)
        ...         made = ModelVersion(id=id, name=name, number=number, model=model, facts=facts)
        ...         self.versions.append(made)
        ...         return made
        >>> Shelf().register_version.__name__
        'register_version'
    """


@one("registry")
def get_version(name: str, ref: str) -> ModelVersion | None:
    """Find one version, or answer None where there is none.

    Asked: the only plugin of the stack that implements it.

    Args:
        name: the model's name.
        ref: a number (``3``), an alias (``@champion``), a digest (``sha256:...``) or an id.

    Raises:
        Unavailable: the registry cannot be reached.

    Example:
        >>> class Empty:
        ...     @hookimpl
        ...     def get_version(self, name, ref):
        ...         return None
        >>> Empty().get_version("employment", "@champion")
    """


@one("registry")
def list_versions(name: str, cursor: str | None, limit: int) -> VersionPage:
    """List the versions of a name, newest first, a page at a time.

    Asked: the only plugin of the stack that implements it.

    A version registered while somebody pages through moves nothing onto a page already read.

    Args:
        name: the model's name; an unknown one has no versions.
        cursor: None for the first page, else the last page's.
        limit: how many at the most, 1 or more.

    Raises:
        Unavailable: the registry cannot be reached.
        InvalidInput: the cursor is not one of this registry's.

    Example:
        >>> class Empty:
        ...     @hookimpl
        ...     def list_versions(self, name, cursor, limit):
        ...         return VersionPage()
        >>> Empty().list_versions("employment", None, 20).items
        ()
    """


@one("registry")
def set_alias(name: str, alias: str, expected: str | None, number: str | None) -> None:
    """Move an alias from the version it is expected on to another, in one step.

    Asked: the only plugin of the stack that implements it.

    Args:
        name: the model's name.
        alias: for example ``champion``.
        expected: the number it points at now; None where it must not exist yet.
        number: the number to point it at; None to take it away.

    Raises:
        Conflict: it points elsewhere; the error carries both numbers.
        NotFound: there is no version of that number.
        Unavailable: the registry cannot be reached.

    Example:
        >>> class Aliases:
        ...     numbers = {}
        ...     @hookimpl
        ...     def set_alias(self, name, alias, expected, number):
        ...         found = self.numbers.get(alias)
        ...         if found != expected:
        ...             raise Conflict(f"{alias} moved", expected=expected, found=found)
        ...         self.numbers[alias] = number
        >>> Aliases().set_alias("employment", "champion", None, "1")
    """


@one("registry", required=False)
def delete_version(name: str, number: str) -> None:
    """Remove a version. Its number stays used.

    Asked: the only plugin of the stack that implements it.

    Args:
        name: the model's name.
        number: which version.

    Raises:
        NotFound: there is no such version.
        Conflict: an alias still points at it.

    Example:
        >>> class Gone:
        ...     @hookimpl
        ...     def delete_version(self, name, number):
        ...         raise NotFound(f"{name} has no version {number}")
        >>> Gone().delete_version.__name__
        'delete_version'
    """


@one("registry", required=False)
def fetch_version(version: ModelVersion, ws: Workspace) -> Artifact:
    """Bring back the bytes of a version from a registry that keeps its own copy.

    Asked: the only plugin of the stack that implements it.

    Core compares the digest with the ledger's, so that a registry which hands back other bytes
    is caught.

    Args:
        version: as the registry gave it.
        ws: keeps the artifact.

    Raises:
        NotFound: the registry has no bytes for it.
        Unavailable: the registry cannot be reached.

    Example:
        >>> class Copy:
        ...     @hookimpl
        ...     def fetch_version(self, version, ws):
        ...         return ws.keep(ws.locate(version.model.artifact))
        >>> Copy().fetch_version.__name__
        'fetch_version'
    """


@every("registry")
def find_misfits(version: ModelVersion) -> tuple[Misfit, ...]:
    """Say what of a version this registry could not hold, before it is asked to.

    Asked: all plugins; their lists are joined in stack order.

    A swap asks it for each version that is to move, and moves none where something would be
    lost. Nothing is stored, and the backend is asked only where it alone knows. A registry that
    holds everything, or refuses what it cannot hold when it is asked to, needs none.

    Args:
        version: as another registry has it, with its aliases; its number will be another.

    Example:
        >>> class Shelf:
        ...     @hookimpl
        ...     def find_misfits(self, version):
        ...         capital = version.name.isupper()
        ...         return [] if capital else [Misfit(what="name", reason="only capitals are kept")]
        >>> Shelf().find_misfits.__name__
        'find_misfits'
    """
