"""The files side: finding tracked files, naming new ones, editing them without touching their formatting."""
