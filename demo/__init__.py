"""The made-up shop: its events, sent as an application would, and watched until they are rows."""
