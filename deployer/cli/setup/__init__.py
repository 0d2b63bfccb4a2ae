"""What a first use of Prefect needs: where its server is, a work pool, a Block, the shipped deployments."""
