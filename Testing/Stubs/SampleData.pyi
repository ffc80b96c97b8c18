from collections.abc import Callable, Sequence

class SampleDataLogic:
    @staticmethod
    def registerCustomSampleDataCategory(category: str, title: str) -> None: ...
    @staticmethod
    def registerCustomSampleDataSource(
        category: str = "Custom",
        sampleName: str | None = None,
        uris: str | Sequence[str] | None = None,
        fileNames: str | Sequence[str] | None = None,
        nodeNames: str | Sequence[str] | None = None,
        customDownloader: Callable[[object], None] | None = None,
        thumbnailFileName: str | None = None,
        loadFileTypes: str | Sequence[str] | None = None,
        loadFiles: bool | Sequence[bool] | None = None,
        loadFileProperties: dict[str, object] = ...,
        checksums: str | Sequence[str] | None = None,
        loadFileType: str | None = None,
    ) -> None: ...
