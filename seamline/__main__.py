"""`seamline`, and `python -m seamline`: every command, by the part that does it."""

from seamline.commands import cli


def main() -> None:
    """Do what the command line says; each part says itself what is wrong."""
    cli(prog_name="seamline")


if __name__ == "__main__":
    main()
