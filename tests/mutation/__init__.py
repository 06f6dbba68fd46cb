"""Mutants: single conditions of the rules are changed, and the tests are asked whether they notice."""
