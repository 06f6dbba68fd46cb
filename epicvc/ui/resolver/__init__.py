"""The resolver: shows conflicts on one screen each, takes keys as answers, and applies all answers together.

It is a pure state machine (:mod:`.state`) and a pure picture of the state (:mod:`.screen`). The terminal, the editor
and the loop around them are thin. On a terminal that cannot place its cursor, it asks line by line (:mod:`.lines`).
"""
