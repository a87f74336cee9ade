"""Numbers as people write them."""

from __future__ import annotations

from typing import Any

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotswitch.app.cli.numbers import Number, WholeNumber
from hotswitch.app.cli.words import number, vlans
from hotswitch.base.decimal import read_decimal
from hotswitch.config.settings import SettingError, whole_number
from hotswitch.ports.adoption import read_rules
from hotswitch.ports.errors import PortTextError
from hotswitch.switch.adopted_ports import template

FOREIGN = ("\uff10\uff15", "\u0665", "1\u0665", "\u00b2", "1_0", "+5", "0x5", "", "-", "5.")


@given(st.integers(-(10**39), 10**39))
def test_what_is_written_is_read(value: int) -> None:
    assert read_decimal(f" {value} ") == value


@pytest.mark.parametrize("text", FOREIGN)
def test_other_digits_are_none(text: str) -> None:
    with pytest.raises(ValueError, match="a whole number is expected"):
        read_decimal(text)
    with pytest.raises(SettingError):
        whole_number(0, 99)(text)
    with pytest.raises(ValueError, match="a whole number is expected"):
        number(0, 99)(text)
    with pytest.raises(ValueError, match="a whole number is expected"):
        vlans(f"1,{text}")


@pytest.mark.parametrize("key", ["tag", "trunks", "mtu", "storm-limit"])
def test_rules_take_ascii_digits_only(key: str) -> None:
    assert template(read_rules(f"tap* {key}=500")[0])
    with pytest.raises(PortTextError, match="can't be"):
        template(read_rules(f"tap* {key}=\uff15\uff10\uff10")[0])


@pytest.mark.parametrize("kind", [WholeNumber(1), Number(1, 9)])
def test_so_do_options(kind: click.ParamType[Any]) -> None:
    assert kind.convert("7", None, None) == 7
    with pytest.raises(click.BadParameter, match="digits 0 to 9"):
        kind.convert("\uff17", None, None)
