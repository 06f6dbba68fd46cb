"""What is versioned: documents, their fields, how a field is named, compared and told apart. Pure, no I/O."""
