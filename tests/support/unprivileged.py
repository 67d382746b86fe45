"""A process that may do what the modes of files let it do, also where the tests run as root."""

import ctypes
import os
import subprocess
import sys
from collections.abc import Mapping

from landed.settings import ROOT

_DROP_FROM_BOUNDING_SET = 24
_DAC_OVERRIDE = 1
_DAC_READ_SEARCH = 2

_libc = ctypes.CDLL(None, use_errno=True)


def drop_override() -> None:
    """Let modes hold for root too, in this process once it has become another program."""
    if os.geteuid() == 0:
        for capability in (_DAC_OVERRIDE, _DAC_READ_SEARCH):
            if _libc.prctl(_DROP_FROM_BOUNDING_SET, capability, 0, 0, 0):
                raise OSError(ctypes.get_errno(), "cannot give up root's right to ignore modes")


def run_python(
    *arguments: str, environment: Mapping[str, str], stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run this Python, as somebody for whom modes hold."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=os.environ | environment,
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=drop_override,
    )
