"""The host, or the application, with a panel in it; and a camera."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("Testing/SlicerHost", "Testing/Slicer", "MDALSelector", "CIMLSegment")
sys.path[:0] = [str(ROOT / name) for name in FOLDERS]
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
SIZE = (1366, 768)
PANEL_WIDTH = 440  # pixels, as a user would draw it


class Studio:
    """Shows both panels and takes pictures.

    Attributes:
        folder: Receives the pictures.
        host: The host, or the application.
        isReal: Whether it is the application.
        panel: The panel that is shown.
    """

    def __init__(self, folder: Path) -> None:
        from slicer_host import host as hosting
        from slicer_host import in_application

        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.isReal = in_application.is_real_application()
        self.host = in_application.RealApplication() if self.isReal else hosting.start()
        modules = ("MDALSelector", "CIMLSegment")
        self.host.load(*(ROOT / name / f"{name}.py" for name in modules))
        self.host.complete()
        if self.isReal:
            import slicer

            probe = slicer.util.findChild(self.host.window, "DataProbeCollapsibleWidget")
            probe.collapsed = True
            slicer.util.findChild(self.host.window, "PanelDockWidget").setMinimumWidth(PANEL_WIDTH)
        self.host.window.resize(*SIZE)
        self._module = ""
        self.panel: Any = None

    def show(self, module: str) -> Any:
        """Show a panel and return it."""
        import slicer

        slicer.util.selectModule(module)
        self._module, self.panel = module, getattr(slicer.modules, f"{module}Widget")
        return self.panel

    def wait(self, condition: Callable[[], bool], seconds: float = 3600.0) -> None:
        """Handle events until a condition holds."""
        import slicer

        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                msg = "Waited in vain."
                raise TimeoutError(msg)
            slicer.app.processEvents()
            time.sleep(0.005)

    def pause(self, seconds: float = 0.4) -> None:
        """Handle events for a while."""
        end = time.monotonic() + seconds
        self.wait(lambda: time.monotonic() > end)

    def picture(self, name: str, *, whole_panel: bool = False) -> None:
        """Save the window, or the panel at its full length."""
        self.pause()
        path = self.folder / f"{self._module}-{name}.png"
        self._grab(self.panel.parent if whole_panel else self.host.window).save(str(path))
        print(path, flush=True)

    def _grab(self, widget: Any) -> Any:
        if self.isReal:
            import ctk

            return ctk.ctkWidgetsUtils.grabWidget(widget)
        from slicer_host.screenshot import grab

        return grab(widget)

    def dark(self, *, is_dark: bool) -> None:
        """Change the theme."""
        import layout_check

        layout_check.set_theme(self.host, is_dark=is_dark)

    def open_sections(self, *names: str) -> None:
        """Open these sections of the panel and close the others."""
        ending = "CollapsibleButton"
        for widget in dir(self.panel.ui):
            if widget.endswith(ending):
                button = getattr(self.panel.ui, widget)
                button.collapsed = widget.removesuffix(ending) not in names

    def scroll_to(self, name: str) -> None:
        """Scroll the panel until a widget is seen at its top."""
        import qt

        widget = getattr(self.panel.ui, name)
        area = widget.parentWidget()
        while not hasattr(area, "ensureWidgetVisible"):
            area = area.parentWidget()
        self.pause(0.1)
        place = widget.mapTo(area.widget(), qt.QPoint(0, 0))
        area.verticalScrollBar().setValue(place.y() - 8)
