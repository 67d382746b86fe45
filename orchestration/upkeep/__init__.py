"""What keeps the warehouse and Dagster's storage small, in between the loads."""
