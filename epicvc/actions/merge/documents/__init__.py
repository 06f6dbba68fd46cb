"""The epics of a merge, each as one document made of its file, its rows and what was agreed on."""
