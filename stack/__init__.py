"""Everything on one machine: start three processes, watch them, show that events get through."""
