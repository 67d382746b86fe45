"""HTTP: the ways an event may come, read and answered."""
