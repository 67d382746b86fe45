"""The live page: what has lately arrived, for whoever sets up tracking."""
