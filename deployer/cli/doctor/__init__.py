"""`doctor`: what works here and what does not, and how to mend it."""
