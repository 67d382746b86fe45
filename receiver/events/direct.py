"""Direct senders: SDKs that send to us, and what Segment's servers would do with their events.

Segment drops what `integrations` shuts a destination out of, and puts the address a request
came from into the `context` of what a device sent. For a webhook it has done both already.
"""

from collections.abc import Mapping

import msgspec
from msgspec import Raw

from receiver.events.json_text import with_members
from receiver.events.shared_fields import Changes

# What an event says of where it was made, in the words of the SDKs and of Segment.
_DEVICE_CHANNELS = frozenset({"browser", "client", "mobile"})
_DEVICE_LIBRARIES = frozenset(
    {
        "analytics.js",
        "analytics-android",
        "analytics-ios",
        "analytics-kotlin",
        "analytics-react-native",
        "analytics-swift",
        "analytics-flutter",
    }
)

_ENDPOINT = frozenset({"segment.io", "segmentio"})
"""What SDKs call the endpoint they send to, in `integrations`."""


class DirectSender:
    """The sender of one request, as far as it matters to the events in it."""

    def __init__(
        self,
        integration: str,
        address: str | None,
        *,
        is_device: bool = False,
        stores_all: bool = False,
    ) -> None:
        """Take what is known of the sender.

        Args:
            integration: our name in the events' `integrations`; case matters.
            address: where the request came from, if that is known.
            is_device: whether events that do not say it were made where the request was.
            stores_all: whether nothing is shut out.
        """
        self._stores_all = stores_all
        self._integration = integration
        self.address = address
        self._is_device = is_device

    def shuts_us_out(self, event: Mapping[str, object]) -> bool:
        """Say whether an event's `integrations` says that it is not for us.

        Who names the endpoint of all SDKs, `Segment.io`, names us: analytics.js makes
        `{"All": false, "Segment.io": true}` of options that shut other destinations out.

        Args:
            event: decoded, with what its batch shares.
        """
        integrations = event.get("integrations")
        if self._stores_all or not isinstance(integrations, dict):
            return False
        if integrations.get(self._integration) is False:
            return True
        return integrations.get("All") is False and not any(
            _is_yes(value)
            for name, value in integrations.items()
            if name == self._integration or name.casefold() in _ENDPOINT
        )

    def add_changes(
        self, changes: Changes, event: Mapping[str, object], written: Mapping[str, Raw]
    ) -> None:
        """Put the device's address into an event's changes, and leave the write key out.

        Args:
            changes: those there are already, of what its batch shares.
            event: its members, decoded, with what its batch shares.
            written: its members as they are written.
        """
        # The key is a credential of the request. Who reads the warehouse needs none.
        if "writeKey" in event:
            changes["writeKey"] = None
        context = event.get("context", {})
        # Like a batch's own context: an event that has an `ip` keeps it.
        if not isinstance(context, dict) or "ip" in context or not self.address:
            return
        if self._was_made_there(event, context):
            text = changes.get("context") or bytes(written.get("context", b"{}"))
            changes["context"] = with_members(text, [b'"ip":' + msgspec.json.encode(self.address)])

    def _was_made_there(self, event: Mapping[str, object], context: Mapping[str, object]) -> bool:
        """Say whether an event was made where its request came from, and not on a server."""
        if isinstance(direct := context.get("direct"), bool):
            return direct
        for channel in (event.get("channel"), context.get("channel")):
            if isinstance(channel, str):
                return channel in _DEVICE_CHANNELS
        library = context.get("library")
        name = library.get("name") if isinstance(library, dict) else None
        return self._is_device or (isinstance(name, str) and name in _DEVICE_LIBRARIES)


def _is_yes(value: object) -> bool:
    return bool(value) or isinstance(value, dict)  # options are a yes, also without any
