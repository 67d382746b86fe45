"""What keeps the warehouse and Dagster's storage small, in turns between the loads."""
