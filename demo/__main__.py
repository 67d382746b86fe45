"""`python -m demo`: what `make demo` calls."""

import sys

from stack.preflight import python_problem


def main() -> None:
    """Refuse a Python that is too old while it can still read these lines, then go on."""
    problem = python_problem(sys.version_info[:2])
    if problem:
        sys.exit(problem)
    from demo.command import cli  # noqa: PLC0415 - an older Python could not import it

    cli(prog_name="python -m demo")


if __name__ == "__main__":
    main()
