"""The report of a repo: what it says, and the page that it makes."""
