"""The epics of a merge, each as one document: its file, its rows, and what was agreed on."""
