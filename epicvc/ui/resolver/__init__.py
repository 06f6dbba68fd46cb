"""The resolver: conflicts one screen each, answered by keys, applied together.

A pure state machine (:mod:`.state`) and a pure picture of it (:mod:`.screen`); the terminal, the editor and the loop
around them are thin. A terminal that cannot place its cursor gets questions line by line (:mod:`.lines`).
"""
