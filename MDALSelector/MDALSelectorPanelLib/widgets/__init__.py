"""The widgets of the MDALSelector panel."""
