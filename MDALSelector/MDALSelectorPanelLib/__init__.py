"""What only the MDALSelector panel needs: `nodes` of the scene (no Qt) and `widgets`."""
