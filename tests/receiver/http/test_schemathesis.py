"""schemathesis finds no lie in receiver/http/openapi.yaml.

Only `make test-integration` reads this file: to make the tests takes seconds.
"""

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi.checks import negative_data_rejection

from tests.receiver.http.test_openapi import PATH
from tests.support.receiver.attack import Watch
from tests.support.receiver.senders import WEB, basic
from tests.support.receiver.server import RunningReceiver

pytestmark = pytest.mark.integration

# One path of those that are one route, one method of those that are one function.
SAME = [f"/v1/{call}" for call in ("identify", "page", "screen", "group", "alias", *"itpsgab")]
SAME += ["/v1/import", "/b", "/m", "/projects/{write_key}/settings"]
schema = schemathesis.openapi.from_path(PATH).exclude(path=SAME).exclude(method=["PUT", "PATCH"])


def credentials(path: str) -> dict[str, str]:
    return basic("hooks-key") if path.startswith("/webhooks/") else WEB


@schema.parametrize()
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
def test_the_receiver_does_what_the_document_says(
    case: schemathesis.Case, server: RunningReceiver
) -> None:
    if "name" in case.path_parameters:
        case.path_parameters["name"] = "hooks"

    case.call_and_validate(
        base_url=server.url,
        headers=credentials(case.path),
        # What is wrong in an event is kept and answered 200: no bad input has to be refused.
        excluded_checks=[negative_data_rejection],
        timeout=10,
    )


def test_the_receiver_is_unharmed_by_all_that(server: RunningReceiver) -> None:
    Watch(server).must_be_unharmed()
