"""`python -m receiver`: receive until told to stop."""

import sys

from pydantic import ValidationError

from receiver.errors import StartError
from receiver.server import serve
from receiver.settings import Settings


def main() -> None:
    """Serve, or say in one line why not."""
    try:
        serve(Settings())
    except StartError as error:
        sys.exit(f"receiver: {error}")
    except ValidationError as error:
        sys.exit(f"receiver: {_in_one_line(error)}")


def _in_one_line(error: ValidationError) -> str:
    # The values are left out: a setting may be a secret.
    return "; ".join(
        f"SEAMLINE_{str(one['loc'][0]).upper()}: {one['msg']}" for one in error.errors()
    )


if __name__ == "__main__":
    main()
