"""One file a gateway."""
