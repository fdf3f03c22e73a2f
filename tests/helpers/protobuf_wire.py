"""Encodes a protobuf message in other ways than protobuf does: longer numbers, fields twice, …"""

from __future__ import annotations

import struct
from typing import Any

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


class Field:
    """A field of a message on the wire, and how it is written."""

    def __init__(self, number: int, wire_type: int, value: Any) -> None:
        """`value` is a number, bytes, or the list of fields of a message."""
        self.number, self.wire_type, self.value = number, wire_type, value
        self.tag_high_bits = 0
        """Bits from the 32nd on that the tag has more."""
        self.tag_padding = 0
        """Bytes that the tag has more than it needs."""
        self.value_padding = 0
        """Bytes that a number or a length has more than it needs."""


def fields_of(message: Any) -> list[Field]:
    """Return the fields of a message, of its submessages too, in the order of their numbers."""
    fields = []
    for descriptor, value in message.ListFields():
        if descriptor.GetOptions().packed:
            # Numbers one after another, as the bytes of a single field.
            numbers = [_field(descriptor, item) for item in value]
            content = b"".join(
                varint(number.value) if number.wire_type == _VARINT else number.value
                for number in numbers
            )
            fields.append(Field(descriptor.number, _BYTES, content))
            continue
        for item in value if descriptor.is_repeated else [value]:
            fields.append(_field(descriptor, item))
    return fields


def _field(descriptor: Any, value: Any) -> Field:
    number = descriptor.number
    if descriptor.type == descriptor.TYPE_MESSAGE:
        return Field(number, _BYTES, fields_of(value))
    if descriptor.type in (descriptor.TYPE_STRING, descriptor.TYPE_BYTES):
        return Field(number, _BYTES, value.encode() if isinstance(value, str) else value)
    if descriptor.type == descriptor.TYPE_FLOAT:
        return Field(number, _FIXED32, struct.pack("<f", value))
    if descriptor.type == descriptor.TYPE_DOUBLE:
        return Field(number, _FIXED64, struct.pack("<d", value))
    return Field(number, _VARINT, value % 2**64)


def all_fields(fields: list[Field]) -> list[Field]:
    """Return the fields and those of the messages inside them."""
    found = []
    for field in fields:
        found.append(field)
        if isinstance(field.value, list):
            found += all_fields(field.value)
    return found


def all_messages(fields: list[Field]) -> list[list[Field]]:
    """Return the message itself and those inside it, each as the list of its fields."""
    nested = [field.value for field in fields if isinstance(field.value, list)]
    return [fields, *(message for inner in nested for message in all_messages(inner))]


def encode(fields: list[Field]) -> bytes:
    """Return the bytes of a message."""
    content = bytearray()
    for field in fields:
        tag = field.number << 3 | field.wire_type | field.tag_high_bits << 32
        content += varint(tag, field.tag_padding)
        if isinstance(field.value, int):
            content += varint(field.value, field.value_padding)
            continue
        value = encode(field.value) if isinstance(field.value, list) else field.value
        if field.wire_type == _BYTES:
            content += varint(len(value), field.value_padding)
        content += value
    return bytes(content)


def varint(value: int, padding: int = 0) -> bytes:
    """Return a number in groups of seven bits, with so many groups of zeros more."""
    content = bytearray()
    while value >= 0x80:
        content.append(value & 0x7F | 0x80)
        value >>= 7
    content.append(value)
    for _ in range(padding):
        content[-1] |= 0x80
        content.append(0)
    return bytes(content)
