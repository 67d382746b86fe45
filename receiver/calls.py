"""Where the receiver lands, for those who ask it."""

from landed.folders import FOLDERS

__all__ = ["FOLDERS"]
