"""What Dagster shows and runs: sensor, assets, checks, jobs and schedules."""
