"""What epicvc is measured against where no program exists: each is run as a script of its own."""
