"""The commands. Each one parses, calls one action, renders the result, and returns an exit code."""
