"""Telling others: alerts for people, and what each load has brought for programs."""
