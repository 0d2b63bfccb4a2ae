"""A model's own requirements: checked against what is installed, or met in an environment of its own."""
