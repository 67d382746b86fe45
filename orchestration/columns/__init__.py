"""Which column each field of an event fills: names, types and what columns.yml says."""
