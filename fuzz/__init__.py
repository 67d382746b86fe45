"""Searching for inputs that break the receiver: invariants, seeds, and atheris to look for more.

`make fuzz` runs it; tests/receiver/events/test_fuzz_invariants.py asks the same of what hypothesis
makes.
"""
