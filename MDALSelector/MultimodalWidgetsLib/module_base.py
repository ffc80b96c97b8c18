"""What the panels of both modules do alike: parameters, paths, buttons, scene; and their tests."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

import qt
import slicer
import vtk
from slicer.ScriptedLoadableModule import ScriptedLoadableModuleTest, ScriptedLoadableModuleWidget
from slicer.util import VTKObservationMixin

from MultimodalSlicerLib.helper_nodes import keepOneFolder, removeEmptyFolder, roleOf
from MultimodalSlicerLib.open_case import openCaseOf
from MultimodalWidgetsLib.case_keeper import caseKeeper
from MultimodalWidgetsLib.job_section import JobSection
from MultimodalWidgetsLib.leaving import endGuard, guardLeaving
from MultimodalWidgetsLib.remembered import keepOwn, takesOver
from MultimodalWidgetsLib.room import PanelRoom
from MultimodalWidgetsLib.scene_reading import onceRead
from MultimodalWidgetsLib.setup_section import SetupSection
from MultimodalWidgetsLib.user_place import PanelPlace, disableKeepingFocus
from MultimodalWidgetsLib.widget_additions import followPath, handleEvents

if TYPE_CHECKING:
    from slicer_types import UiForm, WrappedParameters

Parameters = TypeVar("Parameters", bound="WrappedParameters")
logger = logging.getLogger(__name__)


class ModuleWidget(ScriptedLoadableModuleWidget, VTKObservationMixin, Generic[Parameters]):
    """Loads a panel, follows its parameters while it is shown, and enables its buttons.

    Attributes:
        paths: Parameters that are shown in a path field named after them.
        restingTable: Gets the focus of a button that cannot be pressed any more.
        ui: The widgets of the `.ui` file by name.
        place: How far the panel is scrolled.
        jobs: The job that the panel shows.
        setupSection: What has to be installed.
    """

    paths: ClassVar[tuple[str, ...]] = ()
    restingTable: ClassVar[str]
    ui: UiForm
    jobs: JobSection
    setupSection: SetupSection

    def __init__(self, parent: object = None) -> None:
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self._parameterNode: Parameters | None = None
        self._parameterNodeGuiTag: int | None = None
        self._toolTips: dict[str, str] = {}
        self.place = PanelPlace(self.parent)
        self._room = PanelRoom(self.parent)

    def sceneParameters(self) -> Parameters:
        """Return the parameters of the scene."""
        raise NotImplementedError

    def recallChoices(self, parameters: Parameters) -> None:
        """Take over what the user chose last, where nothing is chosen."""
        raise NotImplementedError

    def onPathChosen(self, name: str) -> None:
        """Remember a path that the user chose."""
        raise NotImplementedError

    def showParameters(self, parameters: Parameters) -> None:
        """Show what is not bound by itself."""
        raise NotImplementedError

    def updateButtons(self) -> None:
        """Enable what can be done now."""
        raise NotImplementedError

    def onSceneChanged(self, _caller: object, _event: object) -> None:
        """Show what a scene that was closed or read brought."""
        raise NotImplementedError

    def showHelpers(self) -> None:
        """Show what was drawn with nodes that the user deleted, or that it is gone."""
        raise NotImplementedError

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def onNodeRemoved(self, _caller: object, _event: object, node: slicer.vtkMRMLNode) -> None:
        """Look a moment later at what the panel lacks without a node that somebody deletes."""
        if slicer.mrmlScene.IsClosing():
            return
        if node.IsA("vtkMRMLScriptedModuleNode") and node.GetSingletonTag() == self.moduleName:
            onceRead(partial(self._bringBack, node))
        elif roleOf(node):
            onceRead(self._afterRemoval)

    def _afterRemoval(self) -> None:
        removeEmptyFolder(slicer.mrmlScene)
        self.showHelpers()

    def _bringBack(self, node: slicer.vtkMRMLNode) -> None:
        """Keep what the user chose: the parameters are deleted with the scene only."""
        scene = slicer.mrmlScene
        present = scene.GetSingletonNode(self.moduleName, node.GetClassName())
        if present is None:
            scene.AddNode(node)
        else:  # somebody has asked for the parameters meanwhile
            present.Copy(node)
        if self._parameterNode is not None:
            self.initializeParameterNode()

    def onSceneStartClose(self, _caller: object, _event: object) -> None:
        """Let go of the parameters of a scene that is about to be closed."""
        self.setParameterNode(None)

    def cleanup(self) -> None:
        """Let go of everything before the panel is deleted."""
        self._room.stop()
        caseKeeper().stop()
        endGuard()
        self.jobs.cleanup()
        self.setParameterNode(None)
        self.removeObservers()

    def enter(self) -> None:
        """Follow the parameters while the panel is shown."""
        self.initializeParameterNode()
        self.place.bringBack()

    def exit(self) -> None:
        """Keep unsaved work, and stop following the parameters while another module is shown."""
        self.place.keep()
        self.setParameterNode(None)
        caseKeeper().keep()

    def initializeParameterNode(self) -> None:
        """Use the parameters of the scene; a new one begins with the choices of the last time."""
        parameters = self.sceneParameters()
        if takesOver(parameters.parameterNode):
            self.recallChoices(parameters)
        self.setParameterNode(parameters)

    def setParameterNode(self, parameterNode: Parameters | None) -> None:
        """Show and follow other parameters, or none."""
        modified = vtk.vtkCommand.ModifiedEvent
        if self._parameterNode is not None:
            self._parameterNode.disconnectGui(self._parameterNodeGuiTag)
            self.removeObserver(self._parameterNode, modified, self.onParametersChanged)
        self._parameterNode = parameterNode
        if parameterNode is not None:
            self._parameterNodeGuiTag = parameterNode.connectGui(self.ui)
            self.addObserver(parameterNode, modified, self.onParametersChanged)
            self.onParametersChanged()

    def onParametersChanged(self, _caller: object = None, _event: object = None) -> None:
        """Show paths, and what else is not bound by itself."""
        if self._parameterNode is None:
            return
        for name in self.paths:
            edit, path = getattr(self.ui, f"{name}LineEdit"), getattr(self._parameterNode, name)
            if edit.currentPath != path:
                edit.currentPath = path
        self.showParameters(self._parameterNode)

    def onPathChanged(self, name: str, path: str) -> None:
        """Keep what was typed, chosen or emptied."""
        if self._parameterNode is not None and getattr(self._parameterNode, name) != path:
            setattr(self._parameterNode, name, path)
            self.onPathChosen(name)

    def onSceneImported(self, caller: object, event: object) -> None:
        """Show a scene that was read; what is empty in its parameters stays empty."""
        node = slicer.mrmlScene.GetSingletonNode(self.moduleName, "vtkMRMLScriptedModuleNode")
        if node is not None:
            keepOwn(node)
        self.onSceneChanged(caller, event)
        onceRead(lambda: keepOneFolder(slicer.mrmlScene))

    def loadPanel(self) -> None:
        """Load the `.ui` file, and make the sections that every panel has."""
        ScriptedLoadableModuleWidget.setup(self)
        widget = slicer.util.loadUI(self.resourcePath(f"UI/{self.moduleName}.ui"))
        self.layout.addWidget(widget)
        self.ui = slicer.util.childWidgetVariables(widget)
        widget.setMRMLScene(slicer.mrmlScene)
        guardLeaving()
        caseKeeper().start()
        openCaseOf(slicer.mrmlScene).handleEventsBy(handleEvents)
        self.jobs = JobSection(self.ui)
        requirements = Path(self.resourcePath(f"{self.moduleName}-requirements.txt"))
        self.setupSection = SetupSection(
            self.ui, requirements, owner=self.moduleName, submit=self.jobs.submit
        )

    def connectPanel(self, handlers: Mapping[str, Callable[..., None]]) -> None:
        """Connect buttons by name, paths, the sections of every panel, and the scene."""
        self._toolTips = {name: getattr(self.ui, name).toolTip for name in handlers}
        for name, handler in handlers.items():
            getattr(self.ui, name).connect("clicked()", handler)
        for name in self.paths:
            followPath(getattr(self.ui, f"{name}LineEdit"), partial(self.onPathChanged, name))
        self.jobs.changed.connect(self.updateButtons)
        self.setupSection.changed.connect(self.updateButtons)
        scene = slicer.mrmlScene
        self.addObserver(scene, scene.NodeAboutToBeRemovedEvent, self.onNodeRemoved)
        self.addObserver(scene, scene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(scene, scene.EndCloseEvent, self.onSceneChanged)
        self.addObserver(scene, scene.EndImportEvent, self.onSceneImported)

    def showProblems(self, problems: Mapping[str, str]) -> None:
        """Enable the buttons without a problem; the tool tip of the others says why not."""
        for name, problem in problems.items():
            button = getattr(self.ui, name)
            if problem:
                disableKeepingFocus(button, self._resting())
            else:
                button.setEnabled(True)
            button.toolTip = problem or self._toolTips[name]

    def _resting(self) -> qt.QWidget:
        table = getattr(self.ui, self.restingTable)
        return table if table.visible else self.parent


class ModuleTest(ScriptedLoadableModuleTest):
    """Calls the tests in Testing/Slicer, which run unchanged in Slicer.

    Attributes:
        moduleFile: The module's `.py` file.
        testFile: Name of the test file.
    """

    moduleFile: ClassVar[Path]
    testFile: ClassVar[str]

    def setUp(self) -> None:
        """Begin with an empty scene."""
        slicer.mrmlScene.Clear()

    def runTest(self, **_options: Any) -> None:
        """Run all tests of the module."""
        self.setUp()
        exitCode = runModuleTests(self.testFile, self.moduleFile)
        if exitCode:
            self.fail(f"The tests ended with exit code {exitCode}.")


def runModuleTests(name: str, moduleFile: Path) -> int:
    """Run a test file of `Testing/Slicer` with pytest.

    Args:
        name: Name of the file.
        moduleFile: The module's `.py` file, in the sources.

    Returns:
        The exit code of pytest; 0 also where the tests or pytest are not installed, which the log
        says.
    """
    path = moduleFile.resolve().parents[1] / "Testing" / "Slicer" / name
    if not path.is_file():
        logger.warning("The tests of %s are part of the sources only; nothing was run.", name)
        return 0
    try:
        import pytest
    except ImportError:
        logger.warning("Install pytest in Slicer's Python to run %s; nothing was run.", path)
        return 0
    return int(pytest.main([str(path), "-q", "-p", "no:cacheprovider", "--import-mode=importlib"]))
