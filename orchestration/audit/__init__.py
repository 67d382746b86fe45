"""Proof that nothing was lost: the counts of every load, and the whole look from the files."""
