"""Erasure: a person goes out of the files and the warehouse, and nothing of anybody else's does."""
