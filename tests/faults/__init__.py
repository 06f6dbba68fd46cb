"""The fault harness: every call that changes the disk fails, tears, kills or loses power, and an oracle judges.

docs/faults.md says what is injected and what is demanded.
"""
