"""How traffic gets from one revision to the next, whoever dies on the way."""
