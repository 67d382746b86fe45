"""Everything on one machine: start the three processes, watch them, show that the road works."""
