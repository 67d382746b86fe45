"""A house of an earlier version goes on under this one."""
