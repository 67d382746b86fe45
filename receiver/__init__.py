"""Seamline's receiver: HTTP in, landed files out.

A request becomes lines in `landing/`, and is answered once they are on the disk.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

    from receiver.senders.sources import Sources
    from receiver.settings import Settings


def create_app(settings: Settings | None = None, sources: Sources | None = None) -> Flask:
    """Create the application of one process: what `flask --app receiver run` looks for.

    Args and Raises are those of `receiver.factory.create_app`.
    """
    # Whoever wants the settings alone, as the stack does, is not to wait for Flask: half a second.
    from receiver.factory import create_app as create  # noqa: PLC0415

    return create(settings, sources)
