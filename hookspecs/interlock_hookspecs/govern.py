"""Governance: the dossier held against the policy, the verdicts, and the card.

A plugin gives verdicts and describes. Nothing that a plugin returns releases a model: core makes
the `Release`, and only from verdicts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from interlock_hookspecs.rules import every, one

if TYPE_CHECKING:
    from interlock_hookspecs.artifacts import Artifact
    from interlock_hookspecs.dossiers import CardSection, Dossier, Verdict
    from interlock_hookspecs.workspace import Workspace


@every("govern")
def review(dossier: Dossier) -> tuple[Verdict, ...]:
    """Judge a dossier.

    Asked: all plugins; their lists are joined in stack order.

    Core refuses where any verdict refuses, where nobody gave one, where a hook failed, and where
    a bound of the policy was judged by nobody. It counts approvals itself.

    Args:
        dossier: with checks, policy, and the approvals given to exactly this digest.

    Example:
        >>> class NoTrees:
        ...     @hookimpl
        ...     def review(self, dossier):
        ...         refused = "Tree" in dossier.estimator
        ...         return [Verdict(decision="refuse" if refused else "approve",
        ...                         subject="estimator", reason=dossier.estimator)]
        >>> NoTrees().review.__name__
        'review'
    """


@every("govern")
def describe_model(dossier: Dossier) -> tuple[CardSection, ...]:
    """Say something on the model's card.

    Asked: all plugins; their lists are joined in stack order.

    Args:
        dossier: what there is to describe.

    Example:
        >>> class Contact:
        ...     @hookimpl
        ...     def describe_model(self, dossier):
        ...         return [CardSection(title="Contact", body=dossier.facts.owner)]
        >>> Contact().describe_model.__name__
        'describe_model'
    """


@one("govern", required=False)
def render_card(
    dossier: Dossier,
    sections: tuple[CardSection, ...],
    verdicts: tuple[Verdict, ...],
    ws: Workspace,
) -> Artifact:
    r"""Put the sections of a card together into a folder of files that a person opens.

    Asked: the only plugin of the stack that implements it.

    Args:
        dossier: what the card is of.
        sections: from every ``describe_model``, in order.
        verdicts: from every ``review``.
        ws: keeps the folder.

    Returns:
        A folder artifact with at least ``card.md`` and ``card.html``, both self-contained.

    Example:
        >>> class Plain:
        ...     @hookimpl
        ...     def render_card(self, dossier, sections, verdicts, ws):
        ...         folder = ws.scratch()
        ...         text = "\n\n".join(f"## {part.title}\n{part.body}" for part in sections)
        ...         (folder / "card.md").write_text(text)
        ...         (folder / "card.html").write_text(f"<pre>{text}</pre>")
        ...         return ws.keep(folder)
        >>> Plain().render_card.__name__
        'render_card'
    """
