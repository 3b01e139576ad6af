"""Local servers that behave like the providers, faults included."""
