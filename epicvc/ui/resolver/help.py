"""The help of the resolver: its keys, in the order in which they are needed."""

from __future__ import annotations

from typing import Final

HELP: Final = (
    ("A conflict", ""),
    ("{ours}  or 2", "take what {ours} has"),
    ("{theirs}  or 3", "take what {theirs} has"),
    ("b  or 1", "go back to the base, what both last agreed on"),
    ("a  or 4", "take both: what either side added, {ours} first (lists, and texts of several lines)"),
    ("i", "choose item by item, or line by line"),
    ("e", "edit the value in $VISUAL or $EDITOR; what does not fit the field is refused, and e goes on with it"),
    ("s", "skip: leave it open"),
    ("u", "undo the last choice"),
    ("enter", "keep the answer and go on to the next open conflict"),
    ("n p, arrows", "next and previous conflict; up and down, page up and page down scroll"),
    ("v", "side by side, or one below the other"),
    ("g", "go to the summary"),
    ("q", "leave: nothing is applied, the answers are kept for the next time"),
    ("", ""),
    ("Items", ""),
    ("space", "take the item under the cursor, or not"),
    ("{ours} {theirs} b a", "take the items that {ours}, {theirs}, the base or either side has"),
    ("J K", "carry the item down or up"),
    ("enter  esc", "done; back without choosing"),
    ("", ""),
    ("The summary", ""),
    ("y", "apply all answers, in one operation that `epicvc undo` takes back"),
    ("enter", "go back to the conflict under the cursor"),
    ("", ""),
    ("Marks", ""),
    ("[-x-] {{+y+}}", "words that this side removed from the base, or added (without colour)"),
    ("+  -  ~", "an item that this side added, removed or changed inside"),
    ("!", "an item where the two sides overlap"),
)
