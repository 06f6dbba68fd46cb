#!/usr/bin/env bash
# msgspec: bytes that are not UTF-8 inside a text raise Python's UnicodeDecodeError, not msgspec's DecodeError.
#
# Guess:     msgspec.json.decode and msgspec.msgpack.decode raise a subclass of msgspec.MsgspecError for any malformed input.
# Behaviour: truncated or malformed documents do; a text with a byte that is no UTF-8 raises UnicodeDecodeError, which is
#            a ValueError and no MsgspecError. Who reads bytes of others has to catch both.
# Seen with: msgspec 0.19.0 on Python 3.11.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check msgspec==0.19.0
"$place/venv/bin/python" - <<'PY'
import msgspec

def raised(decode, data):
    try:
        decode(data)
    except Exception as error:
        return type(error).__name__, isinstance(error, msgspec.MsgspecError)
    return "nothing", False

found = {
    "JSON, cut off": raised(msgspec.json.decode, b"[1,"),
    "JSON, byte ff in a text": raised(msgspec.json.decode, b'"\xff"'),
    "MessagePack, byte ff in a text": raised(msgspec.msgpack.decode, b"\xa1\xff"),
}
for what, (name, own) in found.items():
    print(f"{what}: {name}, {'a' if own else 'no'} MsgspecError")
assert found == {
    "JSON, cut off": ("DecodeError", True),
    "JSON, byte ff in a text": ("UnicodeDecodeError", False),
    "MessagePack, byte ff in a text": ("UnicodeDecodeError", False),
}, "the behaviour has changed"
PY
