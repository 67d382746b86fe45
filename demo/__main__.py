"""`python -m demo`: what `make demo` calls."""

import sys

from stack.preflight import python_trouble


def main() -> None:
    """Refuse a Python that is too old while it can still read these lines, then go on."""
    trouble = python_trouble(sys.version_info[:2])
    if trouble:
        sys.exit(trouble)
    from demo.command import cli  # noqa: PLC0415 - an older Python could not import it

    cli(prog_name="python -m demo")


if __name__ == "__main__":
    main()
