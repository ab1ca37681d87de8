"""A folder that appears whole or not at all: filled under a hidden name beside its own, then renamed.

It knows nothing of what the files hold; writing them is FolderStore's business.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from zenctl.blob.files import Files
from zenctl.blob.folder import FolderStore, sync_folder, translated
from zenctl.errors import Denied, Refused, Unreachable


@contextmanager
def new_folder(path: Path) -> Iterator[FolderStore]:
    """Give a store whose files become those of the folder at the end; where that fails there is no folder.

    Raises Refused where something is at its place already that is no empty folder.
    """
    target = path.absolute()
    with _creating(path):
        _require_free(target, path)
        target.parent.mkdir(parents=True, exist_ok=True)
        hidden = target.parent / f".{target.name}.{secrets.token_hex(4)}.partial"
        hidden.mkdir(mode=0o700)
    try:
        yield FolderStore(hidden)
        with _creating(path):
            _require_free(target, path)
            hidden.rename(target)  # an empty folder at its place is replaced, anything else is not
            sync_folder(Files(), str(target.parent))
    except BaseException:
        shutil.rmtree(hidden, ignore_errors=True)
        raise


@contextmanager
def _creating(path: Path) -> Iterator[None]:
    """Turn errors of the operating system into ours, whose hints would speak of a store."""
    try:
        with translated("cannot create", str(path)):
            yield
    except (Unreachable, Denied) as error:
        raise type(error)(error.message, hint="name another folder") from error


def _require_free(target: Path, path: Path) -> None:
    if not os.path.lexists(target):
        return
    if target.is_symlink() or not target.is_dir():
        raise Refused(f"{path} exists already and is no folder", hint="name a folder that does not exist yet")
    if any(target.iterdir()):
        raise Refused(
            f"the folder {path} is not empty", hint="nothing was overwritten; name one that is, or does not exist yet"
        )
