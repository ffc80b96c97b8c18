"""A small scripted module that the tests of the host load."""

import enum
import json
import logging
import sys
from pathlib import Path
from typing import Annotated

import ctk
import numpy as np
import qt
import slicer
import vtk
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.parameterNodeWrapper import Choice, WithinRange, parameterNodeWrapper
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin

WORKER = """
import json, sys, time
for done in range(1, 51):
    print(json.dumps({"event": "progress", "done": done, "total": 50}), flush=True)
    time.sleep(float(sys.argv[1]))
print(json.dumps({"event": "result", "value": 42}), flush=True)
"""


class HostDemo(ScriptedLoadableModule):
    """Metadata."""

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        self.parent.title = _("Host demo")
        self.parent.categories = [translate("qSlicerAbstractCoreModule", "Segmentation")]
        self.parent.dependencies = []
        self.parent.contributors = ["The project"]
        self.parent.helpText = _("Thresholds a volume.")
        self.parent.acknowledgementText = _("None.")
        self.startupCount = 0
        slicer.app.connect("startupCompleted()", self.onStartup)

    def onStartup(self):
        self.startupCount += 1


class Side(enum.Enum):
    """Which side of the threshold is kept."""

    Above = 1
    Below = 2

    def label(self):
        return f"{self.name.lower()} the threshold"


@parameterNodeWrapper
class HostDemoParameterNode:
    """Parameters of the module."""

    inputVolume: slicer.vtkMRMLScalarVolumeNode
    threshold: Annotated[float, WithinRange(-100, 500)] = 100
    count: Annotated[int, WithinRange(1, 9)] = 3
    invert: bool = False
    note: str = "nothing"
    folder: Path
    side: Side = Side.Below
    strategy: Annotated[str, Choice(["A", "B"])] = "B"
    caseIds: list[str]


class HostDemoWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """Panel."""

    def __init__(self, parent=None):
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.logic = None
        self._parameterNode = None
        self._guiTag = None
        self.process = None
        self.visits = []

    def setup(self):
        ScriptedLoadableModuleWidget.setup(self)
        uiWidget = slicer.util.loadUI(self.resourcePath("UI/HostDemo.ui"))
        self.layout.addWidget(uiWidget)
        self.ui = slicer.util.childWidgetVariables(uiWidget)
        uiWidget.setMRMLScene(slicer.mrmlScene)
        self.logic = HostDemoLogic()
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndCloseEvent, self.onSceneEndClose)
        self.ui.applyButton.connect("clicked(bool)", self.onApplyButton)
        self.ui.startButton.connect("clicked()", self.onStart)
        self.ui.cancelButton.connect("clicked()", self.onCancel)
        self.initializeParameterNode()

    def cleanup(self):
        self.onCancel()
        self.removeObservers()

    def enter(self):
        self.visits.append("enter")
        self.initializeParameterNode()

    def exit(self):
        self.visits.append("exit")
        if self._parameterNode:
            self._parameterNode.disconnectGui(self._guiTag)
            self._guiTag = None
            self.removeObserver(
                self._parameterNode, vtk.vtkCommand.ModifiedEvent, self._checkCanApply
            )

    def onSceneStartClose(self, caller, event):
        self.setParameterNode(None)

    def onSceneEndClose(self, caller, event):
        if self.parent.isEntered:
            self.initializeParameterNode()

    def initializeParameterNode(self):
        self.setParameterNode(self.logic.getParameterNode())

    def setParameterNode(self, parameterNode):
        if self._parameterNode and self._guiTag is not None:
            self._parameterNode.disconnectGui(self._guiTag)
            self.removeObserver(
                self._parameterNode, vtk.vtkCommand.ModifiedEvent, self._checkCanApply
            )
        self._parameterNode, self._guiTag = parameterNode, None
        if self._parameterNode:
            self._guiTag = self._parameterNode.connectGui(self.ui)
            self.addObserver(self._parameterNode, vtk.vtkCommand.ModifiedEvent, self._checkCanApply)
            self._checkCanApply()

    def _checkCanApply(self, caller=None, event=None):
        ready = self._parameterNode is not None and self._parameterNode.inputVolume is not None
        self.ui.applyButton.enabled = ready
        self.ui.applyButton.toolTip = _("Threshold the volume") if ready else _("Select a volume")

    def onApplyButton(self):
        with slicer.util.tryWithErrorDisplay(_("Failed to compute results."), waitCursor=True):
            table = self.logic.process(self._parameterNode)
            self.ui.resultTable.setMRMLTableNode(table)

    def onStart(self, delay="0.02"):
        self.ui.progressBar.value = 0
        self.process = qt.QProcess()
        self.process.setProcessChannelMode(qt.QProcess.SeparateChannels)
        self.process.connect("readyReadStandardOutput()", self.onOutput)
        self.process.connect("finished(int,QProcess::ExitStatus)", self.onFinished)
        self._rest = ""
        self.result = None
        self.exitStatus = None
        self.ui.startButton.enabled = False
        self.process.start(sys.executable, ["-c", WORKER, delay])

    def onOutput(self):
        text = self._rest + self.process.readAllStandardOutput().data().decode()
        *lines, self._rest = text.split("\n")
        for line in lines:
            message = json.loads(line)
            if message["event"] == "progress":
                self.ui.progressBar.value = 100 * message["done"] // message["total"]
            else:
                self.result = message["value"]

    def onFinished(self, exitCode, exitStatus):
        self.exitStatus = exitStatus
        self.ui.startButton.enabled = True
        logging.info("The job ended with %d.", exitCode)

    def onCancel(self):
        if self.process is not None and self.process.state() != qt.QProcess.NotRunning:
            self.process.kill()
            self.process.waitForFinished(2000)


class HostDemoLogic(ScriptedLoadableModuleLogic):
    """Computation."""

    def __init__(self):
        ScriptedLoadableModuleLogic.__init__(self)

    def getParameterNode(self):
        return HostDemoParameterNode(super().getParameterNode())

    def process(self, parameters):
        if parameters.inputVolume is None or parameters.inputVolume.GetImageData() is None:
            message = "Expected a volume with voxels as input, found an empty one."
            raise ValueError(message)
        values = slicer.util.arrayFromVolume(parameters.inputVolume)
        chosen = values > parameters.threshold
        if parameters.invert:
            chosen = ~chosen
        label = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "Chosen")
        slicer.util.updateVolumeFromArray(label, chosen.astype(np.uint8))
        label.CopyOrientation(parameters.inputVolume)
        table = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode", "Result")
        slicer.util.updateTableFromArray(table, [np.array([float(chosen.sum())])], ["voxels"])
        return table


class HostDemoTest(ScriptedLoadableModuleTest):
    """Test that runs in the host and in the application."""

    def setUp(self):
        slicer.mrmlScene.Clear()

    def runTest(self):
        self.setUp()
        self.test_threshold_counts_voxels()

    def test_threshold_counts_voxels(self):
        volume = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Input")
        slicer.util.updateVolumeFromArray(volume, np.arange(8, dtype=np.int16).reshape(2, 2, 2))
        logic = HostDemoLogic()
        parameters = logic.getParameterNode()
        parameters.inputVolume = volume
        parameters.threshold = 5.5
        table = logic.process(parameters)
        self.assertEqual(table.GetTable().GetValue(0, 0).ToDouble(), 2.0)
        self.assertIsInstance(ctk.ctkSliderWidget().value, float)
