-- Dagster's own, beside the catalog's, which POSTGRES_DB makes.
create database dagster;
