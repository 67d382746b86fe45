"""HTTP: the roads an event may come by, read and answered."""
