"""The care of a repo: made, adopted, verified, mended, made smaller."""
