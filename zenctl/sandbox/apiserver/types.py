"""The schemas of the built-in kinds, read from ``types.json`` when somebody first looks.

``types.json`` is written by ``python -m tests.builtin_types``. A definition is an OpenAPI-like schema without words;
``{"$ref": "#/definitions/NAME"}``, with a ``default`` beside it or not, means another one. Three formats are our own:
``quantity`` (which may be sent as a number too), ``micro-time`` and ``base64``; module canonical reads them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources
from typing import Any, cast

import msgspec

Schema = Mapping[str, Any]

REF = "#/definitions/"
OBJECT_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"


@cache
def _loaded() -> dict[str, Schema]:
    text = resources.files(__package__).joinpath("types.json").read_bytes()
    return cast("dict[str, Schema]", msgspec.json.decode(text))


class _Definitions(Mapping[str, Schema]):
    """All definitions by name; reading the file waits until one is wanted."""

    def __getitem__(self, name: str) -> Schema:
        return _loaded()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(_loaded())

    def __len__(self) -> int:
        return len(_loaded())


DEFINITIONS: Mapping[str, Schema] = _Definitions()


def reference(name: str) -> Schema:
    """Return a schema that means the definition of this name."""
    return {"$ref": REF + name}


def resolve(schema: Schema, definitions: Mapping[str, Schema]) -> Schema:
    """Return what a schema means: the definition that it refers to, or itself. Raises KeyError for another name."""
    ref = schema.get("$ref")
    return definitions[ref.removeprefix(REF)] if isinstance(ref, str) else schema
