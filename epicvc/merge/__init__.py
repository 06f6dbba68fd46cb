"""The three-way rules. Pure: values in, values and conflicts out."""
