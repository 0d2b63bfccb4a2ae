"""A platform in memory: for testing plans, and as the example for third parties."""
