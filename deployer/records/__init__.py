"""What a workload says of itself."""
