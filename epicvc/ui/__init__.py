"""Turns reports into the text that a terminal shows. It decides nothing."""
