"""DuckDB's extensions are in the environment before anything runs: nobody has to write there."""

import re
import tomllib
from pathlib import Path

from landed.settings import ROOT
from orchestration.warehouse.extensions import install

MODULE = "orchestration.warehouse.extensions"


def test_each_that_is_wanted_is_installed_once(tmp_path: Path) -> None:
    needed = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    wanted = {
        found[1].replace("-", "_")
        for one in needed
        if (found := re.match("duckdb-extension-([a-z-]+)==", one))
    }

    names = install(str(tmp_path))
    files = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.duckdb_extension")}
    install(str(tmp_path))

    assert set(names) == wanted
    assert {path.name.removesuffix(".duckdb_extension") for path in files} == wanted
    assert {path: path.stat().st_mtime_ns for path in files} == files


def test_what_installs_seamline_installs_them() -> None:
    makefile = (ROOT / "Makefile").read_text()
    (recipe,) = re.findall(r"^\$\(VENV\)/\.installed: .*\n((?:\t.*\n)+)", makefile, re.MULTILINE)

    assert f"-m {MODULE}\n" in recipe
    assert f"python -m {MODULE} " in (ROOT / "deploy" / "Containerfile").read_text()
