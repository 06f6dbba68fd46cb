"""The actions of users. Each reads both sides, decides, and acts through the one crash-safe apply."""
