"""`seamline`, and `python -m seamline`: every command, by the part that does it."""

import sys

from stack.preflight import python_problem


def main() -> None:
    """Refuse a Python that is too old while it can still read these lines, then go on."""
    problem = python_problem(sys.version_info[:2])
    if problem:
        sys.exit(problem)
    from seamline.commands import run  # noqa: PLC0415 - an older Python could not import it

    run()


if __name__ == "__main__":
    main()
