"""Version control and three-way sync for plans that live in JSON files and in a database."""

__version__ = "0.1.0"
