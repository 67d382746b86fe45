"""Final tables where other tools read them, brought up to date with what has changed."""
