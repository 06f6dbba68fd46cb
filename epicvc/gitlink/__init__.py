"""Epic repos under git: the pre-commit hook, the merge driver, the text of ``git diff``, and their installation."""
