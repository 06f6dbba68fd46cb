"""Machine output: the shapes that scripts rely on."""
