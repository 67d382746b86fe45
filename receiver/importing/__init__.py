"""Importing: files of events from elsewhere become landed files, without a receiver running.

A file is cut into chunks. Each is staged in `landing/imports/`, durably, and noted in the file's
journal; once the last one is read, all of them are moved to where the loader finds them. So a
file lands whole or not at all, and one that was interrupted goes on behind its last chunk.
"""
