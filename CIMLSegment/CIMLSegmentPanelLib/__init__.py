"""What only the CIMLSegment panel needs: `nodes` of the scene (no Qt) and `widgets`."""
