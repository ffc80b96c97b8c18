"""The host's module Sample Data: keeps what modules register, downloads nothing."""

import slicer
from slicer.ScriptedLoadableModule import ScriptedLoadableModule


class SampleData(ScriptedLoadableModule):
    """Metadata."""

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        self.parent.title = "Sample Data"


class SampleDataLogic:
    """Registration of samples."""

    @staticmethod
    def registerCustomSampleDataSource(
        category="Custom", sampleName=None, uris=None, fileNames=None, nodeNames=None,
        customDownloader=None, thumbnailFileName=None, loadFileTypes=None, loadFiles=None,
        loadFileProperties=None, checksums=None, loadFileType=None,
    ):  # fmt: skip
        """Keep the sample in `slicer.modules.sampleDataSources`."""
        if not hasattr(slicer.modules, "sampleDataSources"):
            slicer.modules.sampleDataSources = {}
        source = {"sampleName": sampleName, "uris": uris, "fileNames": fileNames,
                  "customDownloader": customDownloader, "checksums": checksums,
                  "thumbnailFileName": thumbnailFileName}  # fmt: skip
        slicer.modules.sampleDataSources.setdefault(category, []).append(source)
