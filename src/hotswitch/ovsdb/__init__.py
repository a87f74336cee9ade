"""The configuration database: OVSDB (RFC 7047) with Open vSwitch's extensions."""
