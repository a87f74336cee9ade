"""Between the Open_vSwitch database and the switch: what is wanted read, what is so written."""
