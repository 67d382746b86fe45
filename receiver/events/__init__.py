"""Events: from a body's bytes to what is landed of each, or the reason why not."""
