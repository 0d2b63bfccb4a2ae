"""The model-deployer command."""
