"""The server under Flask: processes, threads, logs and counts."""
