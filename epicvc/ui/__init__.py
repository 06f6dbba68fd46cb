"""Values to what a terminal shows. Receives reports, decides nothing."""
