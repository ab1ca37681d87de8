"""The operations of the differential suite: random requests, in sequences that a seed repeats.

What only a server knows (uids, revisions, continue tokens, whole objects) stands in an operation as a Ref; who sends
it, resolves it. Bodies are grammar's.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tests.conformance.api import JSON, JSON_PATCH, MERGE_PATCH, PARTIAL, PARTIAL_LIST, STRATEGIC_PATCH, Document
from tests.conformance.grammar import (
    ANYTHING,
    DELETE,
    NAMES,
    ODD_NAMES,
    Kind,
    Path,
    changed,
    metadata,
    paths,
)
from tests.conformance.resources import Resource

NAMESPACES = ("differential-a", "differential-b")
NOWHERE = "differential-nowhere"
SENTINEL = "zz"
"""The object whose coming ends a watch; no other has this name."""


class Key(NamedTuple):
    """One object of a server; without a name a collection."""

    resource: Resource
    namespace: str
    name: str = ""

    @property
    def path(self) -> str:
        return self.resource.path(self.namespace, self.name)


class Ref(NamedTuple):
    """What a server said: the uid, resourceVersion or object of an object; resourceVersion or continue of a list.

    ``age`` counts back from the newest state that was seen. ``changes`` are made to an object.
    """

    what: str
    key: Key
    age: int = 0
    changes: tuple[tuple[Path, Any], ...] = ()

    def __str__(self) -> str:
        changes = "".join(f", {'.'.join(map(str, path))}={value!r}" for path, value in self.changes)
        return f"<{self.what} of {self.key.path} -{self.age}{changes}>"


@dataclass(frozen=True)
class Operation:
    """One request, but for what the Refs in it stand for. Verb "watch" reads until the sentinel comes."""

    verb: str
    key: Key
    subresource: str = ""
    query: Mapping[str, object] = field(default_factory=dict)
    body: Any = None
    content_type: str = JSON
    accept: str = JSON
    sentinel: Document | None = None

    def __str__(self) -> str:
        query = "&".join(f"{name}={value}" for name, value in self.query.items())
        said = json.dumps(shown(self.body)) if self.body is not None else ""
        kind = self.content_type.removeprefix("application/") if self.verb == "patch" else ""
        where = "/".join(filter(None, (self.key.path, self.subresource)))
        return " ".join(filter(None, (self.verb, where + ("?" + query if query else ""), kind, said)))


def shown(body: Any) -> Any:
    """Return a body with words in place of what only servers know."""
    if isinstance(body, Ref):
        return str(body)
    if isinstance(body, bytes):
        return body.decode()
    if isinstance(body, dict):
        return {key: shown(value) for key, value in body.items()}
    return [shown(value) for value in body] if isinstance(body, list) else body


_SELECTORS: tuple[tuple[str, Document], ...] = (
    ("app=a", {"app": "a"}), ("app!=a", {"app": "b"}), ("app in (a,b)", {"app": "b"}), ("!tier", {}),
    ("app,tier notin (y)", {"app": "z"}), ("app==b", {"app": "b"}), ("example.com/app", {"example.com/app": ""}),
)  # fmt: skip
"""Label selectors, each with labels that it selects."""
_ODD_SELECTORS = ("a b", "app in ()", "app in (a", "=", "a=b c", "-a=b", "app>5", "app=" + "x" * 64, ",", " ")
_FIELDS = ("metadata.name=a", "metadata.name!=a", "metadata.name==b,metadata.namespace=differential-a")
_ODD_FIELDS = ("spec.size=small", "metadata.name", "a=b", "metadata.name=a,metadata.name=b", "metadata.uid=x", "=")
_POLICIES = ("Background", "Foreground", "Orphan", "Foo", "", None, 5)
_JSON_PATHS = ("/spec", "/metadata/labels", "/metadata/labels/app", "/metadata/finalizers", "/metadata/name", "/data",
               "/data/k", "/spec/tags/0", "/spec/tags/-", "/nothing/there", "", "/", "/metadata", "/kind",
               "/metadata/annotations/note", "/status", "/status/phase", "/rules/0", "/subjects/-", "/spec/replicas",
               "/spec/template/spec/containers/0/image", "/spec/containers/0/image", "metadata")  # fmt: skip


class Script:
    """Writes operations, one after the other, from one source of chance."""

    def __init__(self, rng: random.Random, kinds: Sequence[Kind]) -> None:
        self._rng = rng
        # A sequence works on few kinds, so that its operations meet the same objects.
        self._kinds = rng.sample(kinds, 2)

    def operations(self, count: int) -> list[Operation]:
        """Return so many operations."""
        verbs = {
            self._create: 24, self._get: 8, self._list: 14, self._put: 16, self._patch: 22, self._delete: 9,
            self._delete_collection: 2, self._watch: 5,
        }  # fmt: skip
        makers = self._rng.choices(list(verbs), list(verbs.values()), k=count)
        return [make(self._rng.choice(self._kinds)) for make in makers]

    # -- parts -------------------------------------------------------------------------------------------

    def _chance(self, share: float) -> bool:
        return self._rng.random() < share

    def _collection(self, kind: Kind) -> Key:
        if not kind.resource.namespaced:
            return Key(kind.resource, "")
        return Key(kind.resource, self._rng.choices((*NAMESPACES, NOWHERE), (12, 4, 1))[0])

    def _one(self, kind: Kind) -> Key:
        return self._collection(kind)._replace(name=self._rng.choices((*NAMES, "nobody"), (8, 5, 3, 1))[0])

    def _body(self, kind: Kind, name: str) -> Document:
        content = kind.content(self._rng)
        body = kind.resource.body(name, metadata=metadata(self._rng, name), **content)
        if self._chance(0.25):
            body = changed(body, *self._change(kind, body))
        about = body.get("metadata")
        if isinstance(about, dict) and not about.get("name"):
            about.pop("generateName", None)  # each server would make a name of its own
        return body

    def _change(self, kind: Kind, document: Document, values: Sequence[Any] = ANYTHING) -> tuple[Path, Any]:
        """Return a change of anything in a document: another value, nothing, a field too much."""
        rng = self._rng
        path = rng.choice(paths(document))
        at: Any = document
        for step in path:
            at = at[step]
        if isinstance(at, dict) and self._chance(0.5) and not set(_LENIENT) & set(path):
            return (*path, "unknown"), rng.choice((1, None, "x", {}))
        if self._chance(0.3) and path != ("metadata", "name"):
            return path, DELETE
        if not kind.anything and isinstance(path[-1], int):
            values = [value for value in values if value is not None]  # Go makes an empty object of it
        if not kind.anything and path[0] in ("spec", "status"):
            values = [value for value in values if _unlike(value, at)] if not set(_LENIENT) & set(path) else [at]
        return path, rng.choice(values)

    def _dry(self) -> dict[str, object]:
        return {"dryRun": self._rng.choice(("All", "All", "All", "x", ""))} if self._chance(0.1) else {}

    # -- reading -----------------------------------------------------------------------------------------

    def _get(self, kind: Kind) -> Operation:
        key = self._one(kind)
        query: dict[str, object] = {}
        if self._chance(0.25):
            query["resourceVersion"] = self._rng.choice(("", "0", "x", "1", Ref("resourceVersion", key)))
        if self._chance(0.1):
            return Operation("get", key, query=query, accept=PARTIAL)
        return Operation("get", key, self._rng.choice(("", "", "", "status")), query)

    def _list(self, kind: Kind) -> Operation:
        rng, key = self._rng, self._collection(kind)
        query: dict[str, object] = self._selection()
        if self._chance(0.4):
            query["limit"] = rng.choice((1, 1, 2, 3, 500, 0, -1, "x"))
        if self._chance(0.3):
            query["continue"] = rng.choice(
                (Ref("continue", key), Ref("continue", key), Ref("continue", key), "x", "")
            )
        if self._chance(0.35):
            # A list's own revision is one of the whole server, and may be too new for the cache of one resource.
            at = Ref("resourceVersion", key._replace(name=rng.choice(NAMES)), rng.randrange(2))
            query["resourceVersion"] = rng.choice(("", "0", "x", at, at))
        if self._chance(0.15):
            query["resourceVersionMatch"] = rng.choice(("Exact", "NotOlderThan", "Foo", ""))
        if "limit" not in query and "continue" not in query and self._chance(0.1):
            key = key._replace(namespace="")
        return Operation("list", key, query=query, accept=PARTIAL_LIST if self._chance(0.1) else JSON)

    def _selection(self) -> dict[str, object]:
        query: dict[str, object] = {}
        if self._chance(0.3):
            query["labelSelector"] = (
                self._rng.choice(_SELECTORS)[0] if self._chance(0.7) else self._rng.choice(_ODD_SELECTORS)
            )
        if self._chance(0.15):
            query["fieldSelector"] = self._rng.choice(_FIELDS if self._chance(0.7) else _ODD_FIELDS)
        return query

    def _watch(self, kind: Kind) -> Operation:
        key = self._collection(kind)
        if key.namespace == NOWHERE:
            key = key._replace(namespace=NAMESPACES[0])
        query: dict[str, object] = {"resourceVersion": Ref("resourceVersion", key, self._rng.randrange(4))}
        labels: Document = {}
        if self._chance(0.5):
            query["labelSelector"], labels = self._rng.choice(_SELECTORS)
        sentinel = kind.resource.body(SENTINEL, metadata={"labels": labels}, **deepcopy(kind.plain))
        return Operation("watch", key, query=query, sentinel=sentinel)

    # -- writing -----------------------------------------------------------------------------------------

    def _create(self, kind: Kind) -> Operation:
        key = self._one(kind)
        name = self._rng.choice(ODD_NAMES) if self._chance(0.05) else key.name
        return Operation("create", key._replace(name=""), query=self._dry(), body=self._body(kind, name))

    def _put(self, kind: Kind) -> Operation:
        key, rng = self._one(kind), self._rng
        subresource = "status" if self._chance(0.2) else ""
        body: Any
        if self._chance(0.15):
            body = self._body(kind, key.name)
            if isinstance(body.get("metadata"), dict) and self._chance(0.5):
                body["metadata"]["resourceVersion"] = Ref("resourceVersion", key, rng.randrange(2))
        else:
            fresh = self._body(kind, key.name)
            if subresource and kind.status:
                fresh["status"] = kind.status(rng)
            places = [path for path in paths(fresh) if len(path) > 1 or path[0] not in ("metadata",)]
            changes = []
            for path in rng.sample(places, min(len(places), rng.randrange(4))):
                at: Any = fresh
                for step in path:
                    at = at[step]
                changes.append((path, deepcopy(at)))
            if self._chance(0.1):
                changes.append(
                    (
                        ("metadata", rng.choice(("uid", "resourceVersion", "name", "namespace", "generation"))),
                        rng.choice((DELETE, "x", "1", None, "0", "")),
                    )
                )
            body = Ref("object", key, rng.choice((0, 0, 0, 0, 0, 1)), tuple(changes))
        return Operation("put", key, subresource, self._dry(), body)

    def _patch(self, kind: Kind) -> Operation:
        rng, key = self._rng, self._one(kind)
        subresource = "status" if self._chance(0.2) else ""
        types = (
            MERGE_PATCH,
            MERGE_PATCH,
            JSON_PATCH,
            STRATEGIC_PATCH if kind.builtin or self._chance(0.05) else MERGE_PATCH,
        )
        content_type = rng.choice(types)
        if content_type == JSON_PATCH:
            body: Any = [self._step(kind) for _ in range(rng.choice((1, 1, 2, 3)))]
            if self._chance(0.04):
                body = rng.choice(({}, "x", b"null", [5], [None], [{}]))
        else:
            body = self._partial(kind, key, subresource)
            if content_type == STRATEGIC_PATCH and self._chance(0.3):
                body = self._directed(body)
            if self._chance(0.04):
                body = rng.choice(([], "x", b"null", 5, {}))
        return Operation("patch", key, subresource, self._dry(), body, content_type)

    def _partial(self, kind: Kind, key: Key, subresource: str) -> Any:
        """Return a part of an object, with nulls where something is to go."""
        whole = self._body(kind, key.name)
        if subresource and kind.status:
            whole["status"] = kind.status(self._rng)
        patch: Document = {}
        for name in [name for name in whole if name not in ("apiVersion", "kind")]:
            if self._chance(0.6):
                patch[name] = whole[name]
        meta = patch.get("metadata")
        if isinstance(meta, dict):
            if self._chance(0.8):
                meta.pop("name", None)
            if self._chance(0.15):
                meta["resourceVersion"] = Ref("resourceVersion", key, self._rng.randrange(2))
            if self._chance(0.3):
                meta["finalizers"] = None
        places = paths(patch)
        if not kind.anything:
            places = [path for path in places if isinstance(path[-1], str) and path[0] != "status"]
        return changed(patch, self._rng.choice(places), None) if places and self._chance(0.25) else patch

    def _directed(self, patch: Any) -> Any:
        """Return a strategic patch with a directive somewhere."""
        rng = self._rng
        maps = [path for path in [(), *paths(patch)] if isinstance(_at(patch, path), dict)]
        lists = [path for path in paths(patch) if isinstance(_at(patch, path), list) and isinstance(path[-1], str)]
        if lists and self._chance(0.4):
            path = rng.choice(lists)
            items = [{"name": each.get("name")} if isinstance(each, dict) else each for each in _at(patch, path)]
            rng.shuffle(items)
            return changed(patch, (*path[:-1], f"$setElementOrder/{path[-1]}"), items if self._chance(0.7) else ["a"])
        directive, value = rng.choice(
            (
                ("$patch", "replace"),
                ("$patch", "delete"),
                ("$patch", "merge"),
                ("$patch", "x"),
                ("$retainKeys", ["a"]),
                ("$deleteFromPrimitiveList/finalizers", ["example.com/hold"]),
            )
        )
        return changed(patch, (*rng.choice(maps), directive), value)

    def _step(self, kind: Kind) -> Any:
        rng = self._rng
        step: Document = {
            "op": rng.choice(("add", "add", "replace", "replace", "remove", "test", "copy", "move", "foo", None)),
            "path": rng.choice(_JSON_PATHS),
        }
        if self._chance(0.8):
            whole = self._body(kind, "a")
            step["value"] = (
                deepcopy(_at(whole, rng.choice(paths(whole)))) if self._chance(0.5) else rng.choice(ANYTHING)
            )
            if not kind.anything and not isinstance(step["value"], bool | float | list | dict | None):
                step["value"] = "x"
        if step["op"] in ("copy", "move"):
            # Not all of metadata, where each server has values of its own.
            step["from"] = rng.choice([path for path in _JSON_PATHS if path not in ("", "/metadata", "metadata")])
        return step

    # -- deleting ----------------------------------------------------------------------------------------

    def _delete(self, kind: Kind) -> Operation:
        key = self._one(kind)
        if self._chance(0.15):
            name, value = self._rng.choice(
                (
                    ("gracePeriodSeconds", 0),
                    ("gracePeriodSeconds", "x"),
                    ("dryRun", "All"),
                    ("propagationPolicy", "Orphan"),
                    ("propagationPolicy", "Foo"),
                    ("orphanDependents", "true"),
                    ("orphanDependents", "false"),
                    ("dryRun", "x"),
                )
            )
            return Operation("delete", key, query={name: value})
        return Operation("delete", key, body=self._options(key) if self._chance(0.6) else None)

    def _options(self, key: Key) -> Document:
        rng = self._rng
        preconditions: tuple[Any, ...] = (
            {"uid": Ref("uid", key)}, {"uid": Ref("uid", key, 1)}, {"uid": "x"}, {"uid": ""}, {}, None, {"uid": 5},
            {"resourceVersion": Ref("resourceVersion", key)}, {"resourceVersion": Ref("resourceVersion", key, 1)},
            {"resourceVersion": "x"}, {"resourceVersion": "0"}, {"unknown": 1},
        )  # fmt: skip
        return some_options(rng, preconditions)

    def _delete_collection(self, kind: Kind) -> Operation:
        key = self._collection(kind)
        query = {**self._selection(), **({"limit": 1} if self._chance(0.2) else {}), **self._dry()}
        some = self._options(key._replace(name=NAMES[0]))
        options = {name: value for name, value in some.items() if name not in ("kind", "apiVersion")}
        return Operation("deletecollection", key, query=query, body=options if self._chance(0.3) else None)


def some_options(rng: random.Random, preconditions: Sequence[Any]) -> Document:
    """Return options of a deletion."""
    fields: dict[str, Sequence[Any]] = {
        "preconditions": preconditions,
        "propagationPolicy": _POLICIES,
        "gracePeriodSeconds": (0, 0, 5, -1, "x", None),
        "orphanDependents": (True, False, None),
        "dryRun": (["All"], ["All"], [], ["x"], "All", None),
        "kind": ("DeleteOptions", "DeleteOptions", "Foo", ""),
        "apiVersion": ("v1", "v1", "x", ""),
        "unknown": (1,),
    }
    shares = {"preconditions": 0.5, "propagationPolicy": 0.4, "gracePeriodSeconds": 0.2, "kind": 0.1}
    return {name: rng.choice(values) for name, values in fields.items() if rng.random() < shares.get(name, 0.05)}


def _at(document: Any, path: Path) -> Any:
    for step in path:
        document = document[step]
    return document


def _unlike(value: Any, there: Any) -> bool:
    """Tell whether a value can be decoded nowhere where this one can."""
    return value is None or _JSON_TYPES[type(value)] != _JSON_TYPES[type(there)]


_JSON_TYPES: dict[type, str] = {
    bool: "bool", int: "number", float: "number", str: "text", list: "list", dict: "object", type(None): "null",
}  # fmt: skip
_LENIENT = ("resources", "rollingUpdate")
"""Where texts and numbers are both right."""
