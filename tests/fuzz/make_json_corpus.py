#!/usr/bin/env python3
"""Writes the corpus of the JSON reader beside this script. Needs the standard library alone."""
import os

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "corpus", "json")
DEEPEST = 2048

OK = {
    "empty-object": b"{}", "empty-array": b"[]", "space": b" \t\r\n[ \t\r\n1 , 2 ]\n ",
    "words": b"[true, false, null]", "nested": b'{"a": {"b": [{"c": []}, {}]}, "d": [[], [[]]]}',
    "integers": b"[0, -0, 1, -1, 9223372036854775807, -9223372036854775808, 1000000000000000000]",
    "reals": b"[0.0, -0.0, 1.5, -2.25e3, 1E2, 1e+2, 1e-2, 0e0, 0.1, 3.141592653589793, 1e23, 9007199254740993.0]",
    "smallest": b"[4.9406564584124654e-324, 2.4703282292062327e-324, 2.2250738585072011e-308, 1e-400, -1e-400]",
    "largest": b"[1.7976931348623157e308, -1.7976931348623157e308, 1.7976931348623158e308]",
    "many-digits": b"[0." + b"1234567890" * 90 + b", " + b"9" * 300 + b".0, 1" + b"0" * 300 + b"e-290]",
    "escapes": rb'["\"\\\/\b\f\n\r\t", "\u0041\u00e9\u20ac", "\ud83d\ude00", "\uFFFF\uffFe"]',
    "utf-8": '["é", "€", "😀", "\x7f", "\uffff", "\ue000", "\U0010ffff"]'.encode(),
    "keys": '{"": 0, "é": 1, "\\u00e9x": 2, "a\\"b": 3, "A": 4, "a": 5}'.encode(),
    "same-key-elsewhere": b'{"a": {"a": {"a": 1}}, "b": {"a": 2}}',
    "deepest": b"[" * DEEPEST + b"]" * DEEPEST, "many": b"[" + b"1," * 5000 + b"1]",
    "long-text": b'["' + b"x" * 5000 + b'\\n"]',
    "deep-keys": b'{"one\\n": {"two\\t": {"three": [{"four\\u0034": "five\\""}]}}, "six": "seven"}',
}
BAD = {
    "nothing": b"", "space": b" \n", "number": b"1", "text": b'"a"', "word": b"true", "byte-order-mark": b"\xef\xbb\xbf[]",
    "array-cut": b"[1, 2", "object-cut": b'{"a": 1', "key-cut": b'{"a', "after-key": b'{"a"', "after-colon": b'{"a":',
    "text-cut": b'["abc', "escape-cut": b'["\\', "code-cut": b'["\\u12', "word-cut": b"[tru", "digit-at-end": b"[12",
    "minus-at-end": b"[-", "character-cut": b'["\xe2\x82', "trailing-comma": b"[1,]", "trailing-comma-object": b'{"a": 1,}',
    "leading-comma": b"[,1]", "two-commas": b"[1,,2]", "no-comma": b"[1 2]", "no-comma-object": b'{"a": 1 "b": 2}',
    "no-colon": b'{"a" 1}', "no-value": b'{"a":}', "number-key": b'{1: 2}', "single-quotes": b"['a']", "bare-key": b"{a: 1}",
    "wrong-end": b"[1}", "wrong-end-object": b'{"a": 1]', "twice": b"[] []", "something-after": b"{} x",
    "comment": b"[1] // one", "duplicate": b'{"a": 1, "b": 2, "a": 3}', "duplicate-escaped": b'{"a": 1, "\\u0061": 2}',
    "duplicate-empty": b'{"": 1, "": 2}', "leading-zero": b"[01]", "minus-zero-one": b"[-01]", "plus": b"[+1]",
    "point-first": b"[.5]", "point-last": b"[1.]", "point-exponent": b"[1.e3]", "exponent-empty": b"[1e]",
    "exponent-sign": b"[1e+]", "two-points": b"[1.2.3]", "hexadecimal": b"[0x10]", "nan": b"[NaN]", "infinity": b"[-Infinity]",
    "integer-overflow": b"[9223372036854775808]", "negative-overflow": b"[-9223372036854775809]",
    "digits-overflow": b"[" + b"9" * 400 + b"]", "real-overflow": b"[1e309]", "real-overflow-negative": b"[-1.8e308]",
    "real-just-over": b"[1.7976931348623159e308]", "letter-after": b"[1a]", "words-together": b"[truefalse]", "upper": b"[True]",
    "control": b'["a\x01"]', "line-break": b'["a\nb"]', "tab": b'["a\tb"]', "zero-byte": b'["a\x00b"]',
    "zero-byte-outside": b"[\x00]", "zero-escape": b'["\\u0000"]', "zero-key": b'{"\\u0000": 1}', "escape-x": b'["\\x41"]',
    "escape-zero": b'["\\\x00"]', "code-letters": b'["\\u00g0"]', "half-pair": b'["\\ud83d"]', "half-pair-text": b'["\\ud83dx"]',
    "half-pair-other": b'["\\ud83d\\u0041"]', "second-half": b'["\\ude00"]', "half-pair-escape": b'["\\ud83d\\n"]',
    "overlong": b'["\xc0\xaf"]', "overlong-3": b'["\xe0\x80\xaf"]', "overlong-4": b'["\xf0\x80\x80\xaf"]',
    "surrogate": b'["\xed\xa0\x80"]', "beyond": b'["\xf4\x90\x80\x80"]', "f5": b'["\xf5\x80\x80\x80"]', "lone": b'["\x80"]',
    "latin-1": b'["caf\xe9"]', "utf-8-outside": "[é]".encode(), "not-utf-8-key": b'{"\xff": 1}', "too-deep": b"[" * 2049 + b"]" * 2049,
    "too-deep-scalar": b"[" * DEEPEST + b"1" + b"]" * DEEPEST, "very-deep": b"[" * 10000, "very-deep-objects": b'{"a":' * 4000,
    "formfeed": b"[\x0c1]", "no-break-space": b"[\xc2\xa01]",
}

os.makedirs(HERE, exist_ok=True)
for prefix, files in (("ok", OK), ("bad", BAD)):
    for name, data in files.items():
        with open(os.path.join(HERE, f"{prefix}-{name}"), "wb") as f:
            f.write(data)
