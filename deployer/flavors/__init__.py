"""One folder a flavor; flavors use what stands above them, never one another."""
