"""The versioned things: documents and their fields, labels, comparison and differences. Pure, no I/O."""
