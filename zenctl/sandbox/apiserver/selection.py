"""Which objects of a collection a request is about: namespace, name, label and field selectors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from zenctl.core.selectors import FieldSelector, LabelSelector, parse_field_selector, parse_label_selector
from zenctl.sandbox.apiserver.errors import bad_request
from zenctl.sandbox.apiserver.kinds import FieldReader, Served
from zenctl.sandbox.apiserver.objects import labels_of

_NAME = "metadata.name"
_PLAIN_FIELDS = 2
"""Kinds that can be selected by name and namespace only have a message of their own."""


@dataclass(frozen=True, slots=True)
class Selection:
    """A judge of kept objects; ``prefix`` and ``name`` narrow by key, the rest by content."""

    prefix: str
    """What the keys begin with: ``namespace/``, or "" for all."""
    name: str
    """The one name that a field selector or the path asks for; "" for any."""
    labels: LabelSelector | None
    fields: FieldSelector | None
    readers: Mapping[str, FieldReader]

    @property
    def by_key_alone(self) -> bool:
        """Whether every object whose key fits is selected."""
        return self.labels is None and self.fields is None

    def fits(self, key: str, body: bytes) -> bool:
        """Return whether a kept object is selected."""
        if not key.startswith(self.prefix):
            return False
        if self.labels is not None and not self.labels.matches(labels_of(body)):
            return False
        if self.fields is None:
            return True
        document = msgspec.json.decode(b"{" + body)
        return self.fields.matches({name: read(document) for name, read in self.readers.items()})


def check_selectors(query: Mapping[str, str]) -> None:
    """Raise ApiError 400 where a selector of a request cannot be read; what it selects by is not judged."""
    _selectors(query)


def _selectors(query: Mapping[str, str]) -> tuple[LabelSelector | None, FieldSelector | None]:
    labels, fields = query.get("labelSelector", ""), query.get("fieldSelector", "")
    try:
        by_label = parse_label_selector(labels) if labels.strip() else None
        by_field = parse_field_selector(fields) if fields else None
    except ValueError as error:
        raise bad_request(str(error)) from None
    return by_label, by_field if by_field is not None and by_field.requirements else None


def selection(served: Served, namespace: str, name: str, query: Mapping[str, str]) -> Selection:
    """Read the selectors of a request. Raises ApiError 400 where one cannot be read or is not supported."""
    labels, fields = query.get("labelSelector", ""), query.get("fieldSelector", "")
    by_label, by_field = _selectors(query)
    readers: dict[str, FieldReader] = {}
    only = name
    for requirement in by_field.requirements if by_field else ():
        read = served.field_selectors.get(requirement.field)
        if read is None:
            raise bad_request(_unsupported(served, labels, fields, requirement.field))
        readers[requirement.field] = read
        if requirement.field == _NAME and requirement.operator == "=":
            only = requirement.value
    prefix = f"{namespace}/" if namespace else ""
    return Selection(prefix, only, by_label, by_field, readers)


def _unsupported(served: Served, labels: str, fields: str, field: str) -> str:
    of = served.type
    if served.builtin and len(served.field_selectors) <= _PLAIN_FIELDS:
        return f'"{field}" is not a known field selector: only "metadata.name", "metadata.namespace"'
    what = f"{of.api_version}, Resource={of.plural}"
    return (
        f'Unable to find "{what}" that match label selector "{labels}", field selector "{fields}": '
        f"field label not supported: {field}"
    )
