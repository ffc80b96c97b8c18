"""The host's module Sample Data, as in Slicer 5.10: lists sources, downloads nothing."""

import ctk
import qt
import slicer
from slicer.ScriptedLoadableModule import ScriptedLoadableModule, ScriptedLoadableModuleWidget
from slicer_host.errors import HostGapError


class SampleData(ScriptedLoadableModule):
    """Metadata, and the place where sources are kept."""

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        self.parent.title = "Sample Data"
        self.parent.categories = ["Informatics"]
        slicer.modules.sampleDataSources = {}


class SampleDataSource:
    """One or several files with their names; as many of everything as there are addresses."""

    def __init__(
        self, sampleName=None, sampleDescription=None, uris=None, fileNames=None, nodeNames=None,
        checksums=None, loadFiles=None, customDownloader=None, thumbnailFileName=None,
        loadFileTypes=None, loadFileProperties=None, loadFileType=None,
    ):  # fmt: skip
        if isinstance(uris, list | tuple):
            count = len(uris)
            loadFileTypes = loadFileTypes if isinstance(loadFileTypes, list) else [None] * count
            nodeNames = [None] * count if nodeNames is None else nodeNames
            loadFiles = [None] * count if loadFiles is None else loadFiles
            checksums = [None] * count if checksums is None else checksums
        elif isinstance(uris, str):
            uris, fileNames, nodeNames = [uris], [fileNames], [nodeNames]
            loadFiles, loadFileTypes, checksums = [loadFiles], [loadFileTypes], [checksums]
        self.sampleName, self.sampleDescription = sampleName, sampleDescription or sampleName
        self.uris, self.fileNames, self.nodeNames = uris, fileNames, nodeNames
        self.checksums, self.loadFiles, self.loadFileTypes = checksums, loadFiles, loadFileTypes
        self.customDownloader, self.thumbnailFileName = customDownloader, thumbnailFileName
        lists = (uris, fileNames, nodeNames, loadFiles, loadFileTypes, checksums)
        if len({len(one) for one in lists}) > 1:
            msg = "All fields of sample data source must have the same length"
            raise ValueError(msg)

    def __eq__(self, other):
        return vars(self) == vars(other)

    __hash__ = None


class SampleDataWidget(ScriptedLoadableModuleWidget):
    """A button with a picture per source, in a box per category."""

    def setup(self):
        for category, sources in sorted(slicer.modules.sampleDataSources.items()):
            frame = ctk.ctkCollapsibleGroupBox()
            frame.title = category
            layout = qt.QVBoxLayout(frame)
            for source in sources:
                layout.addWidget(self._button(source))
            self.layout.addWidget(frame)

    def _button(self, source):
        button = qt.QToolButton()
        button.text = source.sampleDescription or source.nodeNames[0]
        button.objectName = f"{source.sampleName}PushButton"
        button.setIcon(qt.QIcon(source.thumbnailFileName))
        button.setIconSize(qt.QSize(96, 64))
        button.setToolButtonStyle(qt.Qt.ToolButtonTextUnderIcon)
        download = source.customDownloader or _refuse
        button.connect("clicked()", lambda: download(source))
        return button


def _refuse(source):
    msg = f"The host does not download {source.uris}."
    raise HostGapError(msg)


class SampleDataLogic:
    """Keeps the sources."""

    @staticmethod
    def registerCustomSampleDataSource(
        category="Custom", sampleName=None, uris=None, fileNames=None, nodeNames=None,
        customDownloader=None, thumbnailFileName=None, loadFileTypes=None, loadFiles=None,
        loadFileProperties=None, checksums=None, loadFileType=None,
    ):  # fmt: skip
        source = SampleDataSource(
            sampleName=sampleName, uris=uris, fileNames=fileNames, nodeNames=nodeNames,
            thumbnailFileName=thumbnailFileName, loadFileTypes=loadFileTypes, loadFiles=loadFiles,
            loadFileProperties=loadFileProperties, checksums=checksums,
            customDownloader=customDownloader,
        )  # fmt: skip
        if source not in slicer.modules.sampleDataSources.setdefault(category, []):
            slicer.modules.sampleDataSources[category].append(source)
