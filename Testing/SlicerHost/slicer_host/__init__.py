"""A stand-in for the Qt half of 3D Slicer, on the real MRML libraries, for development and tests.

`host.start` makes the modules `qt`, `ctk` and the missing parts of `slicer`; after it, scripted
modules can be loaded from their own `.py` and `.ui` files. Nothing of this is installed with the
extension.
"""

from __future__ import annotations

import os

os.environ.setdefault("VTK_DEFAULT_OPENGL_WINDOW", "vtkEGLRenderWindow")
