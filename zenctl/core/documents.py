"""Reading Kubernetes objects from the text that people and kubectl write: JSON, JSON lines, YAML, Lists.

Times stay text: YAML's own reading of an unquoted timestamp would turn it into another value than the
API server sees. Bytes come in, plain objects go out; nothing is read from disk here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec


class NotADocument(ValueError):
    """The text is neither JSON nor YAML; the message says where."""


def documents(text: bytes) -> list[Any]:
    """Return the documents in a text: one JSON value, JSON lines, or any number of YAML documents.

    Empty YAML documents are left out. Raises NotADocument.
    """
    if text.lstrip()[:1] in (b"{", b"["):
        try:
            return [msgspec.json.decode(text)]
        except (msgspec.DecodeError, UnicodeDecodeError):
            lines = _json_lines(text)
            if lines is not None:
                return lines
    return _yaml_documents(text)


def objects_in(document: Any) -> Iterator[dict[str, Any]]:
    """Yield the Kubernetes objects of a document: itself, or the items of a List or array, however nested.

    What is no object (no kind) is left out; the caller compares counts where that matters.
    """
    if isinstance(document, list):
        for item in document:
            yield from objects_in(item)
    elif isinstance(document, dict):
        items, kind = document.get("items"), document.get("kind")
        if isinstance(items, list) and (kind is None or str(kind).endswith("List")):
            for item in items:
                yield from objects_in(_with_list_type(item, document))
        elif isinstance(kind, str) and isinstance(document.get("apiVersion"), str):
            yield document


def _with_list_type(item: Any, parent: dict[str, Any]) -> Any:
    """Give an item of a typed list its kind; built-in lists leave it out of their items."""
    kind = str(parent.get("kind") or "")
    if isinstance(item, dict) and "kind" not in item and kind not in ("", "List"):
        return {"apiVersion": parent.get("apiVersion"), "kind": kind.removesuffix("List"), **item}
    return item


def _json_lines(text: bytes) -> list[Any] | None:
    try:
        return [msgspec.json.decode(line) for line in text.splitlines() if line.strip()]
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _yaml_documents(text: bytes) -> list[Any]:
    import yaml

    try:
        return [document for document in yaml.load_all(text, Loader=_loader()) if document is not None]
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        what = getattr(error, "problem", None) or type(error).__name__
        raise NotADocument(f"neither JSON nor YAML{where}: {what}") from error


def _loader() -> Any:
    """Return the safe C loader without the resolver that turns text into dates."""
    global _TEXTUAL
    if _TEXTUAL is None:
        import yaml

        base = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        _TEXTUAL = type("TextualLoader", (base,), {})
        _TEXTUAL.yaml_implicit_resolvers = {
            first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
            for first, resolvers in base.yaml_implicit_resolvers.items()
        }
    return _TEXTUAL


_TEXTUAL: Any = None
