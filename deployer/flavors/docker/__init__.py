"""The docker flavor: model servers as containers of one engine."""
