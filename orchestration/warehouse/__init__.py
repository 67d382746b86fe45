"""The warehouse: its connection, catalog, raw tables, and the one writer's lock."""
