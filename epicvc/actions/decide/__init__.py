"""Settles conflicts without a question: by the newer value, or by a remembered resolution."""
