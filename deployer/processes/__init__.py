"""Processes that outlive whoever started them, each held by a lock in a folder of its own."""
