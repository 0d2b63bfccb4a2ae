"""Model URIs: where a model's bytes come from."""
