"""The report of a repo: its contents, and the page that shows them."""
