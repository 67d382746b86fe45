"""`python -m orchestration.warehouse.extensions`: put DuckDB's extensions into the environment.

A session does so too, with each that it wants and that is missing (`connection.load_extensions`).
`make install` does it for all of them, so that later nobody has to write there.
"""

import pkgutil
from contextlib import closing

import duckdb
from duckdb_extensions import import_extension

from orchestration.warehouse.connection import CONFIG

_WHEEL = "duckdb_extension_"


def install(folder: str | None = None) -> list[str]:
    """Install each extension whose wheel the environment has, as far as it is missing.

    Args:
        folder: Where to; the environment's own folder of extensions if not given.

    Returns:
        Their names.
    """
    config = CONFIG | ({"extension_directory": folder} if folder else {})
    wheels = [module.name for module in pkgutil.iter_modules() if module.name.startswith(_WHEEL)]
    names = [wheel.removeprefix(_WHEEL) for wheel in wheels]
    with closing(duckdb.connect(config=config)) as con:
        for name in names:
            import_extension(name, con=con)
    return names


if __name__ == "__main__":
    install()
