"""The commands. Each parses, calls one service, renders what it returns, and gives an exit code."""
