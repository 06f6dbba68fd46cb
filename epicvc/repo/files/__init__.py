"""The files side: tracked files as they are now, and as the store has them."""
