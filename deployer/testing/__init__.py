"""The conformance suite, for every flavor, third parties' too."""
