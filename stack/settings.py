"""The settings of every part the stack starts, and the addresses that follow from them."""

from functools import cached_property
from pathlib import Path

from orchestration.settings import Settings as OrchestrationSettings
from receiver.settings import Settings as ReceiverSettings

LOOPBACK = "127.0.0.1"
EVERYWHERE = {"0.0.0.0", "::", ""}  # noqa: S104 - compared with, not listened on


class Settings(ReceiverSettings, OrchestrationSettings):
    """What the receiver and the orchestration were told from outside."""

    @cached_property
    def receiver_host(self) -> str:
        """The address under which this machine reaches the receiver."""
        return LOOPBACK if self.host in EVERYWHERE else self.host

    @cached_property
    def receiver_url(self) -> str:
        """The receiver, for Segment's SDKs."""
        return _url(self.receiver_host, self.port)

    @cached_property
    def stack_logs(self) -> Path:
        """The folder of what the stack's processes print."""
        return self.dagster_home / "logs" / "stack"

    @cached_property
    def dagster_url(self) -> str:
        """The Dagster UI, as this machine reaches it."""
        host = LOOPBACK if self.dagster_host in EVERYWHERE else self.dagster_host
        return _url(host, self.dagster_port)


def _url(host: str, port: int) -> str:
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"
