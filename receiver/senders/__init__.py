"""Senders: who may send, and how each proves who it is."""
