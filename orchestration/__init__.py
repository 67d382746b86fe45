"""Landed file → raw table → final table: the loading code, and Dagster and dbt around it."""
