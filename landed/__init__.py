"""What the receiver and the orchestration share; it imports nothing of either."""
