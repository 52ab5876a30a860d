"""Records to plain JSON values and back: what the ledger, the disk and a worker's pipe hold."""

from __future__ import annotations

import functools
from datetime import datetime
from types import UnionType
from typing import TYPE_CHECKING, Any, TypeVar, Union, get_args, get_origin

import attrs

from interlock_hookspecs import Facts, resolve

if TYPE_CHECKING:
    from cattrs import Converter

T = TypeVar("T")
_PRIMITIVE = (str, int, float, bool, type(None))


def encode(value: Any) -> Any:
    """A record, or a container of records, as JSON values.

    >>> from interlock_hookspecs import Check
    >>> encode(Check(name="rows", value=3))["value"]
    3
    """
    return _shared().unstructure(value)


def decode(kind: type[T], value: Any) -> T:
    """A record from JSON values.

    Raises:
        ValueError, TypeError, KeyError: the values are not such a record.
    """
    return _shared().structure(value, kind)


@functools.cache
def _shared() -> Converter:
    return records_converter()


def records_converter() -> Converter:
    """A converter of the contract's records, to which a caller may add hooks of its own."""
    from cattrs import Converter
    from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn

    converter = Converter(unstruct_collection_overrides={tuple: list})

    def structure_record(kind: Any) -> Any:
        return make_dict_structure_fn(resolve(kind), converter, _cattrs_detailed_validation=False)

    def unstructure_record(kind: Any) -> Any:
        return make_dict_unstructure_fn(resolve(kind), converter)

    converter.register_structure_hook_factory(attrs.has, structure_record)
    converter.register_unstructure_hook_factory(attrs.has, unstructure_record)
    converter.register_structure_hook_func(_is_primitive_union, lambda value, _: value)
    converter.register_unstructure_hook_func(_is_primitive_union, lambda value: value)
    converter.register_structure_hook_func(
        _is_instant, lambda value, _: value if type(value) is int else datetime.fromisoformat(value)
    )
    converter.register_unstructure_hook_func(
        _is_instant, lambda value: value.isoformat() if isinstance(value, datetime) else value
    )
    converter.register_structure_hook(Facts, lambda value, _: Facts(value))
    converter.register_unstructure_hook(Facts, dict)
    converter.register_structure_hook(datetime, lambda value, _: datetime.fromisoformat(value))
    converter.register_unstructure_hook(datetime, lambda value: value.isoformat())
    return converter


def _is_primitive_union(kind: Any) -> bool:
    return get_origin(kind) in (Union, UnionType) and all(
        part in _PRIMITIVE for part in get_args(kind)
    )


def _is_instant(kind: Any) -> bool:
    return get_origin(kind) in (Union, UnionType) and set(get_args(kind)) == {int, datetime}
