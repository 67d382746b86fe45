"""The dbt models: how they are run, and what they and Python both need to know."""
