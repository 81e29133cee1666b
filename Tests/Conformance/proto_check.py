"""Checks that the .proto files say what the hand-written codec writes.

Compiles them, reads each message that WireExportTests wrote (GATEHOUSE_WIRE_EXPORT=<file> swift test --filter
WireExportTests), and writes it again: the bytes must be the same, and no field may be unknown.

    python3 -m venv v && v/bin/pip install grpcio-tools protobuf
    v/bin/python Tests/Conformance/proto_check.py <file>
"""

import importlib
import pathlib
import sys
import tempfile

from google.protobuf import unknown_fields
from grpc_tools import protoc

FILES = ["Snapshot/snapshot.proto", "Usage/usage.proto", "Link/link.proto", "Leases/leases.proto"]


def unknown(message):
    """Whether a message or one in it has a field that its .proto does not name."""
    if len(unknown_fields.UnknownFieldSet(message)):
        return True
    for field, value in message.ListFields():
        if field.message_type is not None:
            if any(unknown(item) for item in (value if field.is_repeated else [value])):
                return True
    return False


def main():
    shared = pathlib.Path(__file__).resolve().parents[2] / "Sources/Shared"
    with tempfile.TemporaryDirectory() as folder:
        if protoc.main(["protoc", f"-I{shared}", f"--python_out={folder}", *FILES]) != 0:
            return 1
        sys.path.insert(0, folder)
        modules = [importlib.import_module(name[: -len(".proto")].replace("/", ".") + "_pb2") for name in FILES]
        types = {}
        for module in modules:
            types.update({name: getattr(module, name) for name in module.DESCRIPTOR.message_types_by_name})
        types["Manifest.Limits"] = types["Manifest"].Limits
        failures, count, seen = 0, 0, set()
        for line in open(sys.argv[1], encoding="ascii"):
            name, text = line.rstrip("\n").split(" ")
            expected = bytes.fromhex(text)
            message = types[name]()
            message.ParseFromString(expected)
            count += 1
            seen.add(name)
            if unknown(message):
                failures += 1
                print(f"{name}: has a field that the .proto does not name: {text}")
            elif message.SerializeToString(deterministic=True) != expected:
                failures += 1
                print(f"{name}: is written otherwise: {text}")
    # A chunk's rows are bytes to the .proto; each row has its own message, which is checked as such.
    missing = set(types) - seen - {"Chunk"}
    if missing:
        print(f"not checked: {', '.join(sorted(missing))}")
    print(f"{count} messages of {len(seen)} types, {failures} failures")
    return 1 if failures or missing or not count else 0


if __name__ == "__main__":
    sys.exit(main())
