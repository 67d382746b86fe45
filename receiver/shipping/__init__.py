"""Sealed files on their way from a machine that only receives to an object store."""
