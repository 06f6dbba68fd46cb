"""The heart: what a synchronisation will do, decided without doing anything."""
