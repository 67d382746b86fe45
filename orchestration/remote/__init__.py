"""The exchange with an object store: what waits there comes here, what was loaded is kept there."""
