#!/usr/bin/env python3
"""Writes the corpora of the readers of tables, of libsvm files and of preprocessors beside this script."""
import bz2
import gzip
import json
import lzma
import os

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "corpus")

TABLE_OK = {
    "plain": b"a,b,y\n1,2,0\n3,4,1\n5,2,0\n", "headerless": b"1,2\n3,4\n", "crlf": b"a,b\r\n1,2\r\n3,4\r\n",
    "cr": b"a,b\r1,2\r3,4", "bom": b"\xef\xbb\xbfa,b\n1,2\n", "semicolons": b"a;b\n1,5;2\n2,5;3\n",
    "tabs": b"a\tb\n1\t2\n", "spaces": b" a  b\n 1   2\n", "pipes": b"a|b\n1|2\n", "sep": b"sep=;\na;b\n1;2\n",
    "short-header": b"a b\nx 1 2\ny 3 4\n", "trailing": b"a,b,\n1,2,\n", "quotes": b'"a ""b""\nc","y"\n"1.5",2\n"2",3\n',
    "text": b"color,y\nred,u\nblue,v\nred,u\nblue,v\n", "dates": b"d,y\n2026-11-29,1\n2026/11/30 08:15,2\n",
    "zones": b"d,y\n2026-11-29T08:15:00.5+02:00,1\n2026-11-29T06:00Z,2\n", "codes": b'n,c\n1,"01"\n2,"02"\n3,"01"\n',
    "gaps": b"a,b,y\n1,,u\n?,NA,v\n.,x,u\nNone,x,v\n2,y,u\n",
    "row-names": b'"","a","y"\n"1",2,3\n"2",5,6\n"3",1,1\n', "years": b"place,1960,1961,1962\nu,1,2,3\nv,4,5,6\n",
    "exponents": b"a,b\n1e3,-2.5E-3\n+.5,5.\n1e-400,0.1000000000000000055511151231257827\n",
    "large": b"a,b\n1e39,1\n2,3\n", "inf": b"a,b\ninf,1\n2,-Inf\n", "latin1": b"caf\xe9,b\n\xe9,1\n\xe8,2\n\xe9,3\n\xe8,1\n",
    "blank-between": b"a,b\n1,2\n\n3,4\n", "one-column": b"a\n1\n2\n", "thousands": b'a;y\n"1,234";1\n"5,678";2\n',
    "gzip": gzip.compress(b"a,b\n1,2\n", mtime=0), "xz": lzma.compress(b"a,b\n1,2\n"),
    "bz2": bz2.compress(b"a,b\n1,2\n"),
}
TABLE_BAD = {
    "comments": b"# x\na,b\n1,2\n#y\n3,4\n",
    "empty": b"", "blank": b"\n \n", "header-only": b"a,b\n", "ragged": b"a,b\n1,2\n3\n4,5\n",
    "zero-byte": b"a,b\n1,\x002\n",
    "open-quote": b'a,b\n1,"2\n3,4\n', "after-quote": b'a,b\n1,"2"x\n', "utf16": "a,b\n1,2\n".encode("utf-16"),
    "zip": b"PK\x03\x04rest", "npy": b"\x93NUMPY\x01\x00",
    "gzip-truncated": gzip.compress(b"a,b\n1,2\n" * 9, mtime=0)[:-12],
    "gzip-in-gzip": gzip.compress(gzip.compress(b"a,b\n1,2\n", mtime=0), mtime=0),
    "xz-truncated": lzma.compress(b"a,b\n1,2\n")[:-9],
}
LIBSVM_OK = {
    "plain": b"+1 1:0.5 3:-2e1 # c\n\n-1 2:4\n-1\n", "from-0": b"1 0:5 1:6\n2 1:7", "qid": b"1 qid:3 1:5\n",
    "infinite-label": b"12e391\n2 1:2\n2 1:91\n2\n2 1:4\n", "crlf": b"1 1:5\r\n2 2:6\r\n", "classes": b"1 1:1\n2 1:2\n1 1:3\n2 1:4\n1 1:2\n2 1:9\n",
}
LIBSVM_BAD = {
    "label": b"x 1:5\n", "labels": b"1,2 1:5\n", "token": b"1 1:5 a:2\n", "value": b"1 1:x\n", "order": b"1 2:5 1:6\n",
    "index": b"1 99999999999:1\n", "large": b"1 16777216:1\n", "empty": b"# no rows\n", "no-features": b"1\n2\n",
    "zero-byte": b"1 1:\x005\n",
}


def column(kind, name, role="feature", **more):
    common = {"name": name, "kind": kind, "role": role, "gaps": 0}
    numbers = {"fill": 2.5, "shift": 2.5, "scale": 1.25, "indicator": True}
    texts = {"categories": ["blue", "red"], "other": ["green"], "gap_is_category": True}
    feature = {} if role != "feature" else (texts if kind == "text" else numbers)
    return {**common, **feature, **more}


def preprocessor(columns, kind="classes", names=True, **more):
    target = {"kind": kind, "loss": "cross-entropy" if kind == "classes" else "mse", "reason": "r", "shift": [0.0],
              "scale": [1.0], "classes": []}
    if kind == "classes":
        target["classes"] = [{"name": "u", "value": 0.0, "rows": 2}, {"name": "v", "value": 1.0, "rows": 3}]
    return {"version": 1, "names": names, "sparse": False, "missing": "auto", "rows": 5, "rows_without_target": 0,
            "rows_dropped": 0, "columns": columns, "target": target, "lines": ["x: 5 rows"], **more}


def nameless(columns):
    return [{key: value for key, value in c.items() if key != "name"} for c in columns]


def preprocessors():
    whole = [column("number", "a"), column("number", "b", "dropped", reason="it is 1 in every row"),
             column("date", "day", origin=20454.0), column("text", "color"), column("text", "y", "target", target=0)]
    numbers = whole[:1] + [column("number", c) for c in "bcd"] + [column("number", "y", "target", target=0)]
    wide = [column("number", {"latin1": "caf\u00e9"})] + whole[1:]
    ok = {"whole": preprocessor(whole), "numbers": preprocessor(nameless(numbers), "numbers", False),
          "latin1": preprocessor(wide)}
    bad = {"version": preprocessor(whole, version=2), "columns": preprocessor([]),
           "scale": preprocessor([column("number", "a", scale=0.0)] + whole[1:]),
           "kind": preprocessor([column("colour", "a")] + whole[1:]), "target": preprocessor(whole[:4]),
           "classes": preprocessor(whole, "numbers"), "array": [1, 2],
           "no-features": preprocessor([whole[1], whole[4]])}
    return ok, bad


def put(reader, name, data):
    os.makedirs(os.path.join(HERE, reader), exist_ok=True)
    with open(os.path.join(HERE, reader, name), "wb") as file:
        file.write(data)


def main():
    json_ok, json_bad = preprocessors()
    encode = lambda value: json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
    json_bad_bytes = {name: encode(value) for name, value in json_bad.items()} | {
        "duplicate": b'{"version":1,"version":1}', "truncated": encode(json_ok["whole"])[:200]}
    for reader, ok, bad in (("table", TABLE_OK, TABLE_BAD), ("libsvm", LIBSVM_OK, LIBSVM_BAD),
                            ("preprocessor", {n: encode(v) for n, v in json_ok.items()}, json_bad_bytes)):
        for name, data in ok.items():
            put(reader, "ok-" + name, data)
        for name, data in bad.items():
            put(reader, "bad-" + name, data)


if __name__ == "__main__":
    main()
