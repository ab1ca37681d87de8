"""The generator of ``protobuf.json``: which field of which message has which number, cut to the facts.

``python -m tests.protobuf_fields FOLDER`` writes the file again. The folder holds the sources of Kubernetes, such as
``staging/src/k8s.io`` of the release that Debian 12 packages: numbers and types come from each ``generated.proto``,
the names in JSON and what Go's encoder leaves out from the Go files beside it. What is newer than that release comes
from tests/protobuf_overlay.py. The notation of a field is explained in zenctl/sandbox/apiserver/protobuf.py.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from tests.protobuf_overlay import NEWER
from zenctl.sandbox.apiserver import protobuf
from zenctl.sandbox.apiserver.kinds import BUILT_IN

TABLE = Path(protobuf.__file__).with_name("protobuf.json")

Messages = dict[str, dict[int, str]]
"""Name of a message -> number of a field -> its notation."""

_MESSAGE = re.compile(r"^message (\w+) \{")
_FIELD = re.compile(r"^ +(?:optional |(repeated )|map<string, )\.?([\w.]+)>? (\w+) = (\d+);")
_PACKAGE = re.compile(r"^package ([\w.]+);")
_STRUCT = re.compile(r"^type (\w+) struct \{")
_MEMBER = re.compile(r"^\t(?:\w+ +)?(\S+) +`(.*)`")
_TAG = re.compile(r'(json|protobuf):"([^"]*)"')
_SHORT = ("resource", "intstr", "runtime")
"""Packages without a version."""
_SAME = {"batch.v1beta1": "batch.v1", "policy.v1beta1": "policy.v1"}
"""Versions that gave their messages, numbers and all, to the next one."""
_AS_THEY_ARE: Messages = {
    "apiextensions.v1.JSON": {1: "raw json"},
    "meta.v1.FieldsV1": {1: "Raw json"},
    "runtime.Unknown": {
        1: "typeMeta runtime.TypeMeta",
        2: "raw data",
        3: "contentEncoding string",
        4: "contentType string",
    },
}
"""Messages with bytes that are no base64 in JSON."""


class _Tags(NamedTuple):
    """What Go says of a field: its name in JSON ("..." for one that is spread), and whether zero is left out."""

    name: str
    omits_zero: bool


def messages(folder: Path) -> Messages:
    """Return every message in the sources below a folder."""
    found: Messages = {}
    for proto in sorted(folder.rglob("generated.proto")):
        text = proto.read_text()
        package = _package(next(match[1] for line in text.splitlines() if (match := _PACKAGE.match(line))))
        tags = {key: value for source in sorted(proto.parent.glob("*.go")) for key, value in _tags(source)}
        found = _messages(text, package, tags) | found  # v1 comes first, and wins
    return found


def _package(full: str) -> str:
    """Return the short name of a package: "core.v1" for k8s.io.api.core.v1."""
    parts = full.split(".")
    short = parts[-1] if parts[-1] in _SHORT else ".".join(parts[-2:])
    return _SAME.get(short, short)


def short_name(full: str) -> str:
    """Return the short name of a message: "core.v1.Pod" for k8s.io.api.core.v1.Pod."""
    package, _, name = full.rpartition(".")
    return f"{_package(package)}.{name}"


def _messages(text: str, package: str, tags: Mapping[tuple[str, int], _Tags]) -> Messages:
    found: Messages = {}
    message = ""
    for line in text.splitlines():
        if match := _MESSAGE.match(line):
            message = match[1]
            found[f"{package}.{message}"] = {}
        elif match := _FIELD.match(line):
            repeated, shape, name, number = match[1], match[2], match[3], int(match[4])
            if shape[0].isupper():
                shape = f"{package}.{shape}"
            elif "." in shape:
                shape = short_name(shape)
            said = tags.get((message, number), _Tags(name, omits_zero=False))
            if "map<" in line:
                shape = f"{{{shape}}}"
            elif repeated:
                shape = f"[{shape}]"
            elif said.omits_zero and "." not in shape:
                shape += "?"
            found[f"{package}.{message}"][number] = f"{said.name} {shape}"
    return found


def _tags(source: Path) -> Iterator[tuple[tuple[str, int], _Tags]]:
    """Yield (name of a struct, number of a field) and its tags from a Go file."""
    struct = ""
    for line in source.read_text().splitlines():
        if match := _STRUCT.match(line):
            struct = match[1]
        elif line == "}":
            struct = ""
        elif struct and (match := _MEMBER.match(line)):
            tags = dict(_TAG.findall(match[2]))
            name, _, options = tags.get("json", "").partition(",")
            number = re.search(r"\b(\d+)\b", tags.get("protobuf", ""))
            if number and "json" in tags:
                omits = "omitempty" in options and not match[1].startswith("*")
                yield (struct, int(number[1])), _Tags(name or "...", omits_zero=omits)


def table(found: Messages) -> dict[str, dict[str, object]]:
    """Return the whole table: the kinds, and the messages that they need."""
    known = {**found, **_AS_THEY_ARE}
    for name, newer in NEWER.items():
        known[name] = {**known.get(name, {}), **newer}
    kinds = dict(sorted(_kinds()))
    needed: Messages = {}
    waiting = ["runtime.Unknown", *kinds.values()]
    while waiting:
        name = waiting.pop()
        if name not in needed:
            needed[name] = dict(sorted(known[name].items()))
            waiting += [inner for text in needed[name].values() if "." in (inner := text.split()[1].strip("[]{}?"))]
    return {"kinds": {**kinds}, "messages": dict(sorted(needed.items()))}


def _kinds() -> Iterator[tuple[str, str]]:
    """Yield each kind with its apiVersion, and the name of its message."""
    yield "DeleteOptions", "meta.v1.DeleteOptions"
    for served in BUILT_IN:
        of = served.type
        if not served.loaded:
            yield f"{of.api_version} {of.kind}", f"{of.group.partition('.')[0] or 'core'}.{of.version}.{of.kind}"


def text_of(whole: Mapping[str, Mapping[str, object]]) -> str:
    """Return the file's text: one kind or message a line."""
    parts = (
        f'"{part}":{{\n'
        + ",\n".join(
            f"{json.dumps(name)}:{json.dumps(value, separators=(',', ':'))}" for name, value in lines.items()
        )
        + "\n}"
        for part, lines in whole.items()
    )
    return "{\n" + ",\n".join(parts) + "\n}\n"


def main(arguments: list[str]) -> int:
    """Write protobuf.json from the sources in a folder."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m tests.protobuf_fields FOLDER\n")
        return 2
    TABLE.write_text(text_of(table(messages(Path(arguments[0])))))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
