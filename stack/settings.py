"""The settings of every part the stack starts, and the addresses that follow from them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from landed.settings import WrongSettingsError
from orchestration.settings import Settings as OrchestrationSettings
from receiver.settings import Settings as ReceiverSettings
from stack.errors import StackError

LOOPBACK = "127.0.0.1"
EVERYWHERE = {"0.0.0.0", "::", ""}  # noqa: S104 - compared with, not listened on


@dataclass(frozen=True)
class Settings:
    """What the receiver and the orchestration were told from outside."""

    receiver: ReceiverSettings
    orchestration: OrchestrationSettings

    @cached_property
    def receiver_host(self) -> str:
        """The address under which this machine reaches the receiver."""
        return LOOPBACK if self.receiver.host in EVERYWHERE else self.receiver.host

    @cached_property
    def receiver_url(self) -> str:
        """The receiver, for Segment's SDKs."""
        host = self.receiver_host
        return f"http://{f'[{host}]' if ':' in host else host}:{self.receiver.port}"

    @cached_property
    def dagster_url(self) -> str:
        """The Dagster UI."""
        return f"http://{LOOPBACK}:{self.orchestration.dagster_port}"


def read() -> Settings:
    """Read the settings of all parts.

    Raises:
        StackError: One of them does not fit; named with its environment variable.
    """
    try:
        return Settings(ReceiverSettings(), OrchestrationSettings())
    except WrongSettingsError as wrong:
        raise StackError(str(wrong)) from None
