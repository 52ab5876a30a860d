"""An OpenAPI document as a page for people: one file, which asks nobody else for anything."""

from __future__ import annotations

import base64
import hashlib
import html
from typing import Any

import orjson

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem }
h1 { margin-bottom: 0 } h2 { margin-top: 2.5rem } code, pre, textarea { font: 14px/1.4 monospace }
details { border: 1px solid #8886; border-radius: 4px; margin: .5rem 0; padding: .5rem .75rem }
summary { cursor: pointer } summary b { display: inline-block; min-width: 3.5rem }
textarea { box-sizing: border-box; width: 100% } pre { overflow: auto; white-space: pre-wrap }
table { border-collapse: collapse } td, th { padding: .1rem 1rem .1rem 0; text-align: left }
:root { color-scheme: light dark }
"""
_SCRIPT = """
for (const form of document.forms) form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const asked = { method: form.dataset.method, headers: {} };
  if (form.key.value) asked.headers["authorization"] = "Bearer " + form.key.value;
  if (form.body) {
    asked.body = form.body.value;
    asked.headers["content-type"] = "application/json";
  }
  const shown = form.querySelector("pre");
  try {
    const answer = await fetch(form.dataset.path, asked);
    shown.textContent = answer.status + " " + await answer.text();
  } catch (error) { shown.textContent = String(error); }
});
"""


def _hash(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")


POLICY = (
    f"default-src 'none'; connect-src 'self'; script-src 'sha256-{_hash(_SCRIPT)}'; "
    f"style-src 'sha256-{_hash(_STYLE)}'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
"""The content security policy of the page: what stands in it, and the endpoint itself."""


def page(document: dict[str, Any]) -> bytes:
    """The page of a document as `interlock_serving.layers.openapi` makes it."""
    info = document["info"]
    operations = "".join(
        _operation(document, path, method, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    )
    title = html.escape(info["title"])
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style>'
        f"<h1>{title}</h1><p>{html.escape(info['description'])} Serving "
        f'{html.escape(info["version"])}. <a href="openapi.json">openapi.json</a></p>'
        f"{operations}<script>{_SCRIPT}</script></html>"
    ).encode()


def _operation(document: dict[str, Any], path: str, method: str, operation: dict[str, Any]) -> str:
    body = ""
    table = ""
    if "requestBody" in operation:
        media = operation["requestBody"]["content"]["application/json"]
        example = orjson.dumps(media["example"], option=orjson.OPT_INDENT_2).decode()
        rows = min(example.count("\n") + 2, 20)
        body = f'<textarea name="body" rows="{rows}">{html.escape(example)}</textarea>'
        table = _columns(_resolved(document, media["schema"]))
    statuses = "".join(
        f"<tr><td>{status}<td>{html.escape(_resolved(document, answer)['description'])}"
        for status, answer in operation["responses"].items()
    )
    return (
        f"<details><summary><b>{method.upper()}</b> <code>{html.escape(path)}</code> "
        f"{html.escape(operation['summary'])}</summary>{table}"
        f'<form data-method="{method.upper()}" data-path="{html.escape(path)}">{body}'
        '<p><label>API key, where one is needed <input name="key" type="password" '
        'autocomplete="off"></label> <button>Ask</button></p><pre></pre></form>'
        f"<table>{statuses}</table></details>"
    )


def _columns(schema: dict[str, Any]) -> str:
    """What a row holds, as a table; nothing for tensors, whose columns the rows tell."""
    rows = schema["properties"].get("rows")
    if rows is None:
        return ""
    row = rows["items"]
    lines = []
    for name, column in row["properties"].items():
        kinds = column["type"]
        words = kinds if isinstance(kinds, str) else " or ".join(kinds)
        kind = f"{words}, {column['format']}" if "format" in column else words
        need = "" if name in row["required"] else "may be left out"
        lines.append(f"<tr><td><code>{html.escape(name)}</code><td>{kind}<td>{need}")
    return f"<table><tr><th>column<th>type<th>{''.join(lines)}</table>"


def _resolved(document: dict[str, Any], value: dict[str, Any]) -> dict[str, Any]:
    found = value
    if "$ref" in value:
        found = document
        for part in value["$ref"].removeprefix("#/").split("/"):
            found = found[part]
    return found
