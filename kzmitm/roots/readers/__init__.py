"""Readers of trust stores, one kind of place each, found by discovery."""
