"""The verbs on resources: from what a request says to the store and back to what is sent.

It decides which verb and subresource exists and how answers look; what a write does to an object is decided
by those who write.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from zenctl.access.identity import User
from zenctl.sandbox.apiserver.answers import Presenter
from zenctl.sandbox.apiserver.causes import too_long
from zenctl.sandbox.apiserver.decoding import require_decodable
from zenctl.sandbox.apiserver.deletes import Deleter, delete_options
from zenctl.sandbox.apiserver.documents import (
    body_document,
    check_size,
    decode_any,
    media_type,
    not_acceptable,
    unsupported_media,
    wanted,
)
from zenctl.sandbox.apiserver.errors import (
    ApiError,
    Cause,
    bad_request,
    invalid,
    method_not_allowed,
    no_such_page,
    not_found,
    not_strict,
    not_supported_on,
    unknown_resource,
)
from zenctl.sandbox.apiserver.kinds import Served
from zenctl.sandbox.apiserver.listing import list_options, number, page, require_reached, revision_of
from zenctl.sandbox.apiserver.messages import Request, Response, json_response
from zenctl.sandbox.apiserver.objects import Json, loaded
from zenctl.sandbox.apiserver.patch import json_merge_patch, json_patch, merge_rules, strategic_merge_patch
from zenctl.sandbox.apiserver.reviews import answer
from zenctl.sandbox.apiserver.routes import Route, truth
from zenctl.sandbox.apiserver.selection import Selection, check_selectors, selection
from zenctl.sandbox.apiserver.state import State
from zenctl.sandbox.apiserver.tables import included
from zenctl.sandbox.apiserver.typemeta import check_type
from zenctl.sandbox.apiserver.watch import Watch, WatchOptions
from zenctl.sandbox.apiserver.writes import Manner, Target, Writer, Written

MERGE_PATCH, JSON_PATCH = "application/merge-patch+json", "application/json-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
_LONGEST_MANAGER_BYTES = 128


class Resources:
    """Answers requests about objects."""

    def __init__(self, state: State, writer: Writer, deleter: Deleter) -> None:
        self._state, self._writer, self._deleter = state, writer, deleter

    def answer(self, asked: Route, request: Request, user: User) -> Response:
        """Answer one request, whose sender is admitted. Raises ApiError."""
        served = self._served(asked)
        if served.virtual:
            return self._review(served, asked, request, user)
        if asked.subresource == "log":
            return self._log(served, asked, request)
        if asked.verb not in _verbs(served, asked.subresource):
            raise _no_such_verb(served, asked)
        namespace = asked.namespace if served.type.namespaced else ""
        target = Target(served, namespace, _name_in_path(asked), asked.subresource)
        if asked.verb in ("create", "deletecollection") and served.type.namespaced and not namespace:
            raise method_not_allowed()
        return self._perform(target, asked, request, user)

    def _served(self, asked: Route) -> Served:
        registry = self._state.registry
        served = registry.find(asked.group, asked.version, asked.resource)
        if served is None or asked.rest:
            raise unknown_resource() if registry.is_built_in(asked.group) else no_such_page()
        if asked.subresource and asked.subresource not in served.subresources:
            # Of its custom resources a real server says here that the object is missing.
            raise unknown_resource() if served.builtin else not_found(served.type, asked.name)
        if asked.namespace and not served.type.namespaced and asked.resource != "namespaces":
            raise unknown_resource()
        if _name_in_path(asked) and served.type.namespaced and not asked.namespace:
            raise unknown_resource()
        _check_method(served, asked)
        return served

    def _perform(self, target: Target, asked: Route, request: Request, user: User) -> Response:
        match asked.verb:
            case "list":
                return self._list(target, request)
            case "watch":
                return self._watch(target, request)
            case "get":
                return self._get(target, request)
            case "delete" | "deletecollection":
                return self._delete(target, asked, request)
            case _:
                return self._write(target, asked, request, user)

    # -- reading -----------------------------------------------------------------------------------------

    def _presenter(self, served: Served, request: Request) -> Presenter:
        include = included(request.query.get("includeObject", ""))
        return Presenter(served, wanted(request), include, self._state.clock)

    def _list(self, target: Target, request: Request) -> Response:
        presenter = self._presenter(target.served, request)
        check_selectors(request.query)
        options = list_options(request.query)
        selected = self._selected(target, request.query)
        found = page(self._state.store, target.served.storage_key, selected, options)
        return Response(200, presenter.page(found))

    def _selected(self, target: Target, query: Mapping[str, str]) -> Selection:
        return selection(target.served, target.namespace, "", query)

    def _get(self, target: Target, request: Request) -> Response:
        presenter = self._presenter(target.served, request)
        require_reached(self._state.store, revision_of(request.query.get("resourceVersion", "")))
        return Response(200, presenter.one(self._writer.current(target)))

    def _watch(self, target: Target, request: Request) -> Response:
        query, store = request.query, self._state.store
        presenter = self._presenter(target.served, request)
        if wanted(request).yaml:
            raise not_acceptable("application/json;stream=watch")
        options = _watch_options(query)
        if options.since is not None:
            require_reached(store, options.since)
        stream = Watch(self._state, target.served.storage_key, self._selected(target, query), presenter, options)
        return Response(200, stream=stream)

    def _log(self, served: Served, asked: Route, request: Request) -> Response:
        if asked.verb != "get":
            raise method_not_allowed()
        target = Target(served, asked.namespace, asked.name)
        pod = loaded(self._writer.current(target), served.type)
        return Response(200, self._state.logs.read(pod, request.query), "text/plain")

    # -- writing -----------------------------------------------------------------------------------------

    def _write(self, target: Target, asked: Route, request: Request, user: User) -> Response:
        presenter = self._presenter(target.served, request)
        change = self._change(target, request) if asked.verb == "patch" else None
        manner = _manner(asked.verb, request.query, user)
        if change is not None:
            written = self._writer.patch(target, change, manner)
        else:
            sent = self._sent(target.served, request, manner)
            do = self._writer.create if asked.verb == "create" else self._writer.update
            written = do(target, sent, manner)
        response = Response(201 if written.created else 200, presenter.one(written.body))
        return _warned(response, written, request.query)

    def _sent(self, served: Served, request: Request, manner: Manner) -> object:
        sent, twice = body_document(request, served.type.kind, strict=manner.strict)
        if twice:
            raise not_strict(served.type, [f'duplicate field "{key}"' for key in twice])
        return sent

    def _change(self, target: Target, request: Request) -> Callable[[Json], object]:
        """Return what a patch does to a document. Raises ApiError 415 for a kind of patch that is not known."""
        media, served = media_type(request), target.served
        check_size(request.body)
        accepted = [JSON_PATCH, MERGE_PATCH, *([STRATEGIC_PATCH] if served.builtin else [])]
        if media not in accepted:
            raise unsupported_media(media, ", ".join(accepted))
        return lambda document: _patched(served, media, document, decode_any(request.body, served.type.kind))

    def _delete(self, target: Target, asked: Route, request: Request) -> Response:
        listed, query = None, request.query
        if asked.verb == "deletecollection":
            listed, selected = list_options(query), self._selected(target, query)
        sent = body_document(request)[0] if request.body else None
        options = delete_options(request, sent)
        if listed is None:
            deleted = self._deleter.delete(target, options)
            return json_response(202 if options.follow and not deleted.gone else 200, deleted.document)
        found = page(self._state.store, target.served.storage_key, selected, listed)
        self._deleter.delete_all(target.served, found.bodies, options)
        return Response(200, self._presenter(target.served, request).page(found))

    # -- asking ------------------------------------------------------------------------------------------

    def _review(self, served: Served, asked: Route, request: Request, user: User) -> Response:
        if asked.verb != "create" or (served.type.namespaced and not asked.namespace):
            raise method_not_allowed()
        _manner(asked.verb, request.query, user)
        sent, _ = body_document(request, served.type.kind)
        check_type(served, sent, patched=False)
        require_decodable(served, self._state.registry.shape(served).types(sent))
        return json_response(201, answer(served, asked.namespace, sent, user, self._state.authorizer))


def _patched(served: Served, media: str, document: Json, patch: object) -> object:
    if media == JSON_PATCH:
        return json_patch(document, patch)
    if media == MERGE_PATCH:
        return json_merge_patch(document, patch)
    return strategic_merge_patch(document, patch, merge_rules(served.schema, served.definitions))


def _name_in_path(asked: Route) -> str:
    """Return the name that the path itself has; a collection's route names what its field selector asks for."""
    return "" if asked.verb in ("list", "watch", "deletecollection") else asked.name


def _verbs(served: Served, subresource: str) -> frozenset[str]:
    return served.subresources[subresource].verbs if subresource else served.type.verbs


def _check_method(served: Served, asked: Route) -> None:
    """Raise ApiError where a method needs a name in the path and there is none, or the other way round."""
    named = bool(_name_in_path(asked)) or bool(asked.subresource)
    if asked.verb in ("update", "patch") and not named:
        nowhere = served.type.namespaced and not asked.namespace
        raise method_not_allowed() if served.builtin or nowhere else bad_request("name must be provided")
    if asked.verb == "create" and named and not asked.subresource:
        raise method_not_allowed()


def _no_such_verb(served: Served, asked: Route) -> ApiError:
    if served.builtin or not asked.subresource:
        return method_not_allowed()
    return not_supported_on(served.type, asked.verb)


def _manner(verb: str, query: Mapping[str, str], user: User) -> Manner:
    dry_run, validation = query.get("dryRun", "All"), query.get("fieldValidation", "")
    causes = []
    if dry_run != "All":
        causes.append(
            Cause(f'Unsupported value: ["{dry_run}"]: supported values: "All"', "dryRun", "FieldValueNotSupported")
        )
    if validation not in ("", "Ignore", "Warn", "Strict"):
        causes.append(
            Cause(
                f'Unsupported value: "{validation}": supported values: "", "Ignore", "Strict", "Warn"',
                "fieldValidation",
                "FieldValueNotSupported",
            )
        )
    manager = query.get("fieldManager", "")
    if len(manager.encode()) > _LONGEST_MANAGER_BYTES:
        causes.append(too_long("fieldManager", _LONGEST_MANAGER_BYTES))
    if causes:
        raise invalid(f"{verb.capitalize()}Options", "meta.k8s.io", "", causes)
    return Manner(dry_run="dryRun" in query, strict=validation == "Strict", user=user)


def _warned(response: Response, written: Written, query: Mapping[str, str]) -> Response:
    if not written.warnings or query.get("fieldValidation") == "Ignore":
        return response
    headers = tuple(("Warning", f'299 - "{_escaped(text)}"') for text in written.warnings)
    return Response(response.status, response.body, headers=headers)


def _escaped(text: str) -> str:
    return "".join("\\" + char if char in '"\\' else char if char.isprintable() else "?" for char in text)


def _watch_options(query: Mapping[str, str]) -> WatchOptions:
    version, initial = query.get("resourceVersion", ""), query.get("sendInitialEvents")
    timeout = number("timeoutSeconds", query.get("timeoutSeconds", ""))
    match = query.get("resourceVersionMatch", "")
    causes = []
    if initial is not None and match != "NotOlderThan":
        causes.append(
            Cause(
                "Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
                "resourceVersionMatch",
                "FieldValueForbidden",
            )
        )
    if initial is None and match:
        causes.append(
            Cause(
                "Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
                "resourceVersionMatch",
                "FieldValueForbidden",
            )
        )
    if causes:
        raise invalid("ListOptions", "meta.k8s.io", "", causes)
    wants_initial = truth(initial) if initial is not None else version in ("", "0")
    since = None if wants_initial else revision_of(version)
    bookmarks = truth(query.get("allowWatchBookmarks", ""))
    return WatchOptions(since, timeout or None, bookmarks, bookmarks and initial is not None and wants_initial)
