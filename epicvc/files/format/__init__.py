"""The edits of JSON files that keep an author's formatting."""
