"""What Dagster sees: workspace.yaml names this module."""

from orchestration.collector import paused

with paused():
    from orchestration.defs.all import defs

__all__ = ["defs"]
