"""``zenctl manifests``."""

from __future__ import annotations

from zenctl.cli.options import command, new_group
from zenctl.cli.session import Session

app = new_group("manifests", "Print the manifests that zenctl ships.")


@app.callback()
def _group() -> None:
    """Print the manifests that zenctl ships."""


@command(app, "crd")
def crd(session: Session) -> str:
    """Print the CRD of Observations.

    It is made for kubectl apply -f -: YAML with comments by default, JSON with -o json.
    """
    from zenctl.manifests.load import crd_yaml

    text = crd_yaml()
    if session.settings.output != "json":
        return text
    import msgspec

    from zenctl.core.documents import documents

    return msgspec.json.format(msgspec.json.encode(documents(text.encode())[0]), indent=2).decode() + "\n"
