"""From landed files to raw tables, in plain Python: nothing here knows of Dagster or dbt."""
