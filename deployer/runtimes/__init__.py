"""How a model becomes an HTTP server."""
