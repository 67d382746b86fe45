"""`seamline`: one command for all of it."""
